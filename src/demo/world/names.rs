//! The names and the catalogues of the simulated world: several scripts, quotes, backslashes, and a customer `other`.

/// Whose Azure is resold. The twelfth and thirteenth share one name.
pub(in crate::demo) const AZURE_CUSTOMERS: [&str; 13] = [
    "Ångström & Søn A/S",
    "Bäckerei Müller GmbH",
    "Cooperativa São João",
    "Ελληνική Ναυτιλία",
    "Северный ветер",
    "東京データ株式会社",
    "شركة النخيل",
    "Rocket 🚀 Labs",
    "Grimm \"Märchen\" Verlag",
    "C:\\Temp Consulting",
    "other",
    "Twin Peaks Ltd",
    "Twin Peaks Ltd",
];

/// Whose AWS is resold.
pub(in crate::demo) const AWS_CUSTOMERS: [&str; 4] = [
    "Łódź Logistyka",
    "Crème Brûlée SARL",
    "Niño y Niña S.L.",
    "Đồng Tháp Farms",
];

/// Whose GCP is resold.
pub(in crate::demo) const GCP_CUSTOMERS: [&str; 2] = ["Õnnelik Kohvik OÜ", "Kırmızı Balık A.Ş."];

/// What a resale customer's subscriptions are for.
pub(in crate::demo) const PURPOSES: [&str; 8] = [
    "production",
    "staging",
    "datacap",
    "разработка",
    "データ基盤",
    "δοκιμές",
    "sandbox \"b\"",
    "archiv\\alt",
];

/// Otc contracts: the cost of the first customer jumps.
pub(in crate::demo) const CONTRACTS: [u64; 5] = [
    1_000_045_678,
    1_000_012_345,
    1_000_023_456,
    1_000_034_567,
    1_000_056_789,
];

/// Otc projects; an empty name is not sent. Two ids share one name.
pub(in crate::demo) const PROJECTS: [&str; 12] = [
    "eu-de",
    "eu-de_webshop",
    "eu-de_analytics",
    "eu-nl",
    "eu-de_Größe",
    "",
    "eu-de_webshop",
    "eu-de_склад",
    "eu-nl_\"quoted\"",
    "eu-de_データ",
    "eu-de_back\\slash",
    "",
];

/// Families of otc products: code, description, unit, price of one unit.
pub(in crate::demo) const FAMILIES: [(&str, &str, &str, f64); 16] = [
    ("OTC_ECS_S3", "Elastic Cloud Server s3", "h", 0.084),
    ("OTC_ECS_M4", "Elastic Cloud Server m4", "h", 0.131),
    ("OTC_BMS_O2", "Bare Metal Server o2", "h", 1.12),
    ("OTC_EVS_SSD", "Elastic Volume SSD", "GB/Month", 0.12),
    ("OTC_EVS_SAS", "Elastic Volume SAS", "GB/Month", 0.06),
    ("OTC_OBS_WARM", "Object Storage Warm", "GB/Month", 0.012),
    ("OTC_RDS_PG", "RDS PostgreSQL", "h", 0.21),
    ("OTC_RDS_BK_SP", "RDS Backup Space", "GB/Month", 0.0858),
    ("OTC_DDS", "Document Database", "h", 0.19),
    ("OTC_CCE", "Cloud Container Engine", "h", 0.095),
    ("OTC_ELB", "Elastic Load Balancer", "h", 0.022),
    ("OTC_NAT", "NAT Gateway", "h", 0.048),
    ("OTC_TRAFFIC_OUT", "Internet Traffic", "GB", 0.05),
    ("OTC_KMS_UD_C", "KMS Customer Masterkey", "h", 0.001_513),
    ("OTC_CSS", "Cloud Search Service", "h", 0.17),
    ("OTC_DMS", "Message Service Kafka", "h", 0.26),
];

/// Sizes of an otc product: code, description, how many times the price.
pub(in crate::demo) const SIZES: [(&str, &str, f64); 3] = [
    ("S", "small", 1.0),
    ("M", "medium", 2.0),
    ("L", "large", 4.0),
];

/// Who buys licences. The last two are deleted.
pub(in crate::demo) const LICENCE_CUSTOMERS: [&str; 12] = [
    "Ångström & Søn A/S",
    "Müller & Töchter KG",
    "Société Générique",
    "Ζωγράφος ΑΕ",
    "Ромашка ООО",
    "株式会社さくら",
    "مؤسسة الواحة",
    "Pixel 🎨 Studio",
    "The \"Best\" Company",
    "Back\\Slash Inc",
    "Gone Fishing Ltd",
    "Ci-devant SA",
];

/// Licences; the empty name is sent as null.
pub(in crate::demo) const LICENCES: [&str; 28] = [
    "Microsoft 365 E3",
    "Microsoft 365 E5",
    "Microsoft 365 F1",
    "Microsoft 365 F3",
    "Microsoft 365 Business Basic",
    "Microsoft 365 Business Standard",
    "Microsoft 365 Business Premium",
    "Microsoft 365 Apps for Enterprise",
    "Microsoft 365 Copilot",
    "Office 365 E1",
    "Office 365 E3",
    "Exchange Online (Plan 1)",
    "Exchange Online (Plan 2)",
    "Exchange Online Archiving",
    "SharePoint Online (Plan 1)",
    "SharePoint Online (Plan 2)",
    "Power BI Pro",
    "Power BI Premium Per User",
    "Power Apps Premium",
    "Power Automate Premium",
    "Project Plan 3",
    "Project Plan 5",
    "Visio Plan 2",
    "Teams Phone Standard",
    "Entra ID P1",
    "Entra ID P2",
    "Intune Plan 1",
    "",
];

/// What an operator's subscriptions are called.
pub(in crate::demo) const SUBSCRIPTIONS: [&str; 8] = [
    "Azure Plan Paraná",
    "Azure Plan Østfold",
    "Лаборатория",
    "Κέντρο δεδομένων",
    "クラウド一号",
    "سحابة الشركة",
    "Backup \"gold\"",
    "Freshly ordered",
];

/// An operator's categories of resources and what is in them.
pub(in crate::demo) const CATEGORIES: [(&str, [&str; 5]); 12] = [
    (
        "Virtual Machines",
        ["B2s", "D2s v5", "D4s v5", "E8s v5", "F4s v2"],
    ),
    (
        "Storage",
        [
            "LRS Data Stored",
            "ZRS Data Stored",
            "Batch Write Operations",
            "Read Operations",
            "P10 Disks",
        ],
    ),
    (
        "Bandwidth",
        [
            "Inter-Region Egress",
            "Internet Egress",
            "Zone Egress",
            "CDN Egress",
            "VPN Egress",
        ],
    ),
    (
        "SQL Database",
        [
            "vCore",
            "DTU Standard",
            "Data Stored",
            "Backup LTR",
            "Serverless vCore",
        ],
    ),
    (
        "Azure App Service",
        ["B1 App", "P1 v3 App", "S1 App", "I1 App", "Certificate"],
    ),
    (
        "Backup",
        [
            "Protected Instance",
            "LRS Backup",
            "GRS Backup",
            "Archive Tier",
            "Snapshot",
        ],
    ),
    (
        "Key Vault",
        [
            "Operations",
            "Advanced Key Operations",
            "HSM Key",
            "Renewal",
            "Managed HSM",
        ],
    ),
    (
        "Log Analytics",
        [
            "Data Ingestion",
            "Data Retention",
            "Basic Logs",
            "Search Jobs",
            "Export",
        ],
    ),
    (
        "Load Balancer",
        [
            "Rule",
            "Data Processed",
            "Gateway Hour",
            "Capacity Unit",
            "Outbound Rule",
        ],
    ),
    (
        "Container Registry",
        [
            "Basic Unit",
            "Standard Unit",
            "Premium Unit",
            "Task vCPU",
            "Image Storage",
        ],
    ),
    (
        "Cognitive Services",
        [
            "Text Records",
            "Speech Hours",
            "Translation",
            "Image Transactions",
            "Tokens",
        ],
    ),
    (
        "Refunds",
        [
            "Service credit",
            "SLA credit",
            "Promotion",
            "Correction",
            "Rounding",
        ],
    ),
];

/// Classes of machine that simulations run on.
pub(in crate::demo) const MACHINES: [&str; 6] = [
    "compute.azure.VM-S-5",
    "compute.azure.VM-M-10",
    "compute.azure.VM-L-20",
    "compute.azure.VM-XL-40",
    "compute.azure.GPU-S-1",
    "compute.azure.GPU-M-2",
];

/// Classes of storage that simulations use.
pub(in crate::demo) const STORES: [&str; 3] = [
    "storage.azure.multidimensional-HotStorage",
    "storage.azure.tabular-HotStorage",
    "storage.azure.files-CoolStorage",
];

/// What simulations are billed to, and the tag.
pub(in crate::demo) const REFERENCES: [(&str, &str); 5] = [
    ("ABC123", "harbour"),
    ("Øresund-2025", "ferry"),
    ("川-7", "flood"),
    ("Дельта", "dam"),
    ("R\"1\"", ""),
];
