//! The organisations, accounts and services of the exports.

/// The organisations whose exports of costs are delivered: id and name.
pub(in crate::demo) const PAYERS: [(&str, &str); 2] = [
    ("111122223333", "Hafenlicht, Gruppe"),
    ("444455556666", "Полярная звезда"),
];

/// Their accounts: the position of the organisation, and the name, which may be missing.
pub(in crate::demo) const SUB_ACCOUNTS: [(usize, &str); 9] = [
    (0, "payer"),
    (0, "shop-prod"),
    (0, "shop-staging"),
    (0, "データ湖"),
    (0, "sandbox \"b\""),
    (0, ""),
    (1, "лаборатория"),
    (1, "archiv\\alt"),
    (1, "edge, mobile"),
];

/// A service of AWS.
#[derive(Debug)]
pub(in crate::demo) struct Service {
    pub(in crate::demo) name: &'static str,
    /// As in addresses of resources.
    pub(in crate::demo) code: &'static str,
    pub(in crate::demo) category: &'static str,
    pub(in crate::demo) subcategory: &'static str,
    pub(in crate::demo) unit: &'static str,
    /// The price of one unit.
    pub(in crate::demo) price: f64,
}

const fn service(
    name: &'static str,
    code: &'static str,
    kind: (&'static str, &'static str),
    unit: &'static str,
    price: f64,
) -> Service {
    Service {
        name,
        code,
        category: kind.0,
        subcategory: kind.1,
        unit,
        price,
    }
}

/// The services that are used. A commitment covers the first.
pub(in crate::demo) const SERVICES: [Service; 9] = [
    service(
        "Amazon Elastic Compute Cloud",
        "ec2",
        ("Compute", "Virtual Machines"),
        "Hrs",
        0.096,
    ),
    service(
        "Amazon Simple Storage Service",
        "s3",
        ("Storage", "Object Storage"),
        "GB-Mo",
        0.023,
    ),
    service(
        "Amazon Relational Database Service",
        "rds",
        ("Databases", "Relational Databases"),
        "Hrs",
        0.29,
    ),
    service(
        "AWS Lambda",
        "lambda",
        ("Compute", "Serverless Compute"),
        "Lambda-GB-Second",
        0.000_016_7,
    ),
    service(
        "Amazon CloudFront",
        "cloudfront",
        ("Networking", "Content Delivery"),
        "GB",
        0.085,
    ),
    service(
        "AmazonCloudWatch",
        "cloudwatch",
        (
            "Management and Governance",
            "Other (Management and Governance)",
        ),
        "Metrics",
        0.3,
    ),
    service(
        "Amazon Elastic Kubernetes Service",
        "eks",
        ("Compute", "Containers"),
        "Hrs",
        0.1,
    ),
    service(
        "Amazon DynamoDB",
        "dynamodb",
        ("Databases", "NoSQL Databases"),
        "ReadRequestUnits",
        0.000_000_3,
    ),
    service(
        "AWS Data Transfer",
        "datatransfer",
        ("Networking", "Other (Networking)"),
        "GB",
        0.09,
    ),
];
