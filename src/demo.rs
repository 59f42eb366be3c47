//! Simulated provider APIs on loopback: the six of them, as documented, over one simulated world. The `demo` command
//! serves them, and integration tests use the same ones.
//!
//! They are written from the providers' documents and share no code with `provider`, so that the two meet only
//! through HTTP.

use std::{io, net::Ipv4Addr, sync::Arc};

use axum::Router;
use jiff::{civil::Date, tz::TimeZone};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use url::Url;

pub use self::{
    cloudcockpit::CloudCockpitOptions,
    enube::EnubeOptions,
    fault::Fault,
    fleet::Fleet,
    otc::OtcOptions,
    server::SimulatedApi,
    setup::{
        AZURE_BUCKET, AZURE_PREFIX, ORACLE_BUCKET, ORACLE_PREFIX, S3_ACCESS_KEY_ID, S3_BUCKET,
        S3_PREFIX, S3_REGION, S3_SECRET_ACCESS_KEY,
    },
    skew::Skew,
    switches::{ActivePlatformOptions, Drafts, MikeOptions},
    world::{Total, World},
};
use crate::{clock::Clock, provider::registry::ProviderName};

mod activeplatform;
mod azure_delivery;
mod azure_files;
mod cloudcockpit;
mod enube;
mod export_delivery;
mod export_files;
mod export_writer;
mod fault;
mod fleet;
mod mike;
mod oracle_delivery;
mod otc;
mod response_cache;
mod s3;
mod s3_signature;
mod second_sources;
mod server;
mod setup;
mod skew;
mod switches;
mod world;

type MakeRouter = fn() -> Router<server::ApiState>;

/// The simulated API of each provider.
const ROUTERS: [(ProviderName, MakeRouter); 6] = [
    (ProviderName::Otc, otc::router),
    (ProviderName::Enube, enube::router),
    (ProviderName::CloudCockpit, cloudcockpit::router),
    (ProviderName::ActivePlatform, activeplatform::router),
    (ProviderName::Mike, mike::router),
    (ProviderName::Focus, s3::router),
];

/// What a demo is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The same seed, start and time give the same responses, byte by byte.
    pub seed: u64,
    /// The day that ends 90 days of history. Default: today in UTC.
    pub start: Option<Date>,
    /// How the Enterprise Dashboard responds.
    pub otc: OtcOptions,
    /// How Rocket responds.
    pub enube: EnubeOptions,
    /// How `CloudCockpit` responds.
    pub cloudcockpit: CloudCockpitOptions,
    /// How `ActivePlatform` responds.
    pub activeplatform: ActivePlatformOptions,
    /// How MIKE Cloud responds.
    pub mike: MikeOptions,
    /// Whether the same request gets its first response again. Only for a clock that stands still.
    pub replays_responses: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 7,
            start: None,
            otc: OtcOptions::default(),
            enube: EnubeOptions::default(),
            cloudcockpit: CloudCockpitOptions::default(),
            activeplatform: ActivePlatformOptions::default(),
            mike: MikeOptions::default(),
            replays_responses: false,
        }
    }
}

/// Six running APIs. They stop when it is dropped.
#[derive(Debug)]
pub struct Demo {
    world: Arc<World>,
    start: Date,
    apis: Vec<(ProviderName, Arc<SimulatedApi>)>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<io::Result<()>>>,
}

impl Demo {
    /// Starts all six, each on a free port of 127.0.0.1. Errors where no port can be had.
    pub async fn start(clock: Clock, options: Options) -> io::Result<Self> {
        let start = options
            .start
            .unwrap_or_else(|| clock.now().to_zoned(TimeZone::UTC).date());
        let world = Arc::new(World::new(options.seed, start));
        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        let mut apis = Vec::new();
        for (provider, router) in ROUTERS {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let root = format!("http://{}/", listener.local_addr()?);
            let api = Arc::new(SimulatedApi::new(
                Url::parse(&root).map_err(io::Error::other)?,
            ));
            let api_state = server::ApiState {
                world: world.clone(),
                clock: clock.clone(),
                api: api.clone(),
                options,
                cache: options.replays_responses.then(Arc::default),
                deliveries: Arc::default(),
            };
            let mut stopped = stopped.clone();
            let served = axum::serve(listener, server::with_faults(router(), api_state))
                .with_graceful_shutdown(async move {
                    // An error means that the demo was dropped, which stops the server, too.
                    let _ = stopped.wait_for(|stop| *stop).await;
                });
            tasks.push(tokio::spawn(async move { served.await }));
            apis.push((provider, api));
        }
        Ok(Self {
            world,
            start,
            apis,
            stop,
            tasks,
        })
    }

    /// One of the APIs: its address, the requests it received, and its faults.
    pub fn api(&self, provider: ProviderName) -> &SimulatedApi {
        let known = self.apis.iter().find(|(known, _)| *known == provider);
        &known.expect("every provider is simulated").1
    }

    /// The simulated object store with its exports.
    pub fn store(&self) -> &SimulatedApi {
        self.api(ProviderName::Focus)
    }

    /// The labels `provider` of a provider's accounts in [`Demo::config_yaml`].
    pub fn labels(provider: ProviderName) -> Vec<&'static str> {
        match provider {
            ProviderName::Focus => vec!["aws", "azure", "oracle"],
            provider => vec![provider.as_str()],
        }
    }

    /// The world that they report about.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Waits for running requests and closes the ports.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        for task in self.tasks.drain(..) {
            let _ = task.await;
        }
    }
}

#[cfg(test)]
mod tests;
