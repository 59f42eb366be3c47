//! The Rust peer: prometheus-client's `Family`, encoded and compressed at every scrape, as most exporters in Rust do it.

use std::{
    io::{self, Read, Write},
    sync::{Arc, atomic::AtomicU64},
};

use axum::{
    Router,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use prometheus_client::{
    encoding::text,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::net::TcpListener;

use crate::{
    ours::tell_parent,
    series::{Shape, value},
};

type Labels = [(&'static str, String); 6];

/// Says its port on stdout and serves until stdin ends.
pub(crate) fn serve(series: u64, shape: Shape) -> anyhow::Result<()> {
    let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    for number in 0..series {
        let [customer, project, product] = shape.labels(number);
        let labels = [
            ("provider", "otc".to_owned()),
            ("account", "main-account".to_owned()),
            ("customer", customer),
            ("project", project),
            ("product", product),
            ("currency", "EUR".to_owned()),
        ];
        family.get_or_create_owned(&labels).set(value(number));
    }
    let mut registry = Registry::default();
    registry.register(
        "cloudspend_provider_forecast_cost_month_end",
        "The provider's own forecast of the whole month",
        family,
    );
    let registry = Arc::new(registry);
    let routes = Router::new().route(
        "/metrics",
        get(async move |headers: HeaderMap| metrics(&registry, &headers)),
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.spawn(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        tell_parent(&listener.local_addr()?.port().to_string());
        axum::serve(listener, routes).await
    });
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn metrics(registry: &Registry, headers: &HeaderMap) -> Response {
    let mut text = String::new();
    text::encode(&mut text, registry).expect("a String takes every text");
    let takes_gzip = headers
        .get(header::ACCEPT_ENCODING)
        .is_some_and(|encoding| encoding == "gzip");
    if !takes_gzip {
        return text.into_response();
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let zipped = encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish())
        .expect("compressing into memory cannot fail");
    ([(header::CONTENT_ENCODING, "gzip")], zipped).into_response()
}
