//! The organisations, accounts and services of the exports of AWS and Azure.

/// Whose export it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum Cloud {
    Aws,
    Azure,
}

/// What organisations buy at a cloud, and how it is billed.
#[derive(Debug)]
pub(in crate::demo) struct Catalogue {
    pub(in crate::demo) cloud: Cloud,
    /// Where its keys for random numbers begin.
    pub(in crate::demo) key: u64,
    /// Id and name of each organisation.
    pub(in crate::demo) payers: &'static [(&'static str, &'static str)],
    /// The position of the organisation, and the name of an account of it.
    pub(in crate::demo) sub_accounts: &'static [(usize, &'static str)],
    /// A commitment covers the first.
    pub(in crate::demo) services: &'static [Service],
    /// How many services each account uses.
    pub(in crate::demo) services_each: usize,
    pub(in crate::demo) currency: &'static str,
    /// What the commitment of the first organisation costs a day.
    pub(in crate::demo) committed: f64,
}

/// AWS.
pub(in crate::demo) const AWS: Catalogue = Catalogue {
    cloud: Cloud::Aws,
    key: 9000,
    payers: &PAYERS,
    sub_accounts: &SUB_ACCOUNTS,
    services: &SERVICES,
    services_each: 5,
    currency: "USD",
    committed: 60.0,
};

/// Azure: one billing account.
pub(in crate::demo) const AZURE: Catalogue = Catalogue {
    cloud: Cloud::Azure,
    key: 19_000,
    payers: &[(
        "/providers/Microsoft.Billing/billingAccounts/70c5f1a2:3d9e_2019-05-31",
        "Nordwind AG",
    )],
    sub_accounts: &[(0, "Produktion"), (0, "тест"), (0, "分析, \"neu\"")],
    services: &AZURE_SERVICES,
    services_each: 3,
    currency: "EUR",
    committed: 25.0,
};

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

pub(super) const fn service(
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

/// The services of Azure.
const AZURE_SERVICES: [Service; 6] = [
    service(
        "Virtual Machines",
        "Microsoft.Compute/virtualMachines",
        ("Compute", "Virtual Machines"),
        "Hours",
        0.118,
    ),
    service(
        "Storage Accounts",
        "Microsoft.Storage/storageAccounts",
        ("Storage", "Object Storage"),
        "GB",
        0.0196,
    ),
    service(
        "SQL Database",
        "Microsoft.Sql/servers",
        ("Databases", "Relational Databases"),
        "Hours",
        0.41,
    ),
    service(
        "Azure App Service",
        "Microsoft.Web/sites",
        ("Web", "Application Platforms"),
        "Hours",
        0.095,
    ),
    service(
        "Azure OpenAI Service",
        "Microsoft.CognitiveServices/accounts",
        ("AI and Machine Learning", "Generative AI"),
        "1K Tokens",
        0.0024,
    ),
    service(
        "Bandwidth",
        "Microsoft.Network/publicIPAddresses",
        ("Networking", "Other (Networking)"),
        "GB",
        0.074,
    ),
];
