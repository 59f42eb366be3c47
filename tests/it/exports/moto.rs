//! The exporter over another S3-compatible store: moto's, with the demo's files in it.

use cloudspend_exporter::demo::{Demo, S3_BUCKET, S3_REGION};
use http::StatusCode;

use super::{account_over, assert_same, objects, shown};
use crate::support::{Folder, MOMENT, PLAIN, Program, answer, demo_at, tool};

/// Starts moto and puts everything that is in the demo's store into it. Its address, without a slash at the end.
pub(super) async fn moto_with(demo: &Demo) -> (Program, String) {
    let mut command = tool("moto_server");
    command.args(["--host", "127.0.0.1", "--port", "0"]);
    let mut program = Program::start(command).unwrap();
    let url = program.says("Running on ").await;
    let bucket = format!("{url}/{S3_BUCKET}");
    let location = format!(
        "<CreateBucketConfiguration><LocationConstraint>{S3_REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    let created = answer(PLAIN.put(&bucket).body(location)).await.unwrap();
    assert_eq!(created.status, StatusCode::OK, "{}", created.text());
    for (key, content) in objects(demo).await {
        let put = PLAIN.put(format!("{bucket}/{key}")).body(content);
        assert_eq!(answer(put).await.unwrap().status, StatusCode::OK, "{key}");
    }
    (program, url)
}

#[tokio::test]
async fn moto_gives_the_same_sums_as_the_demo() {
    let demo = demo_at(MOMENT).await;
    let (_moto, url) = moto_with(&demo).await;
    let sums = async |endpoint: &str| {
        let folder = Folder::with(&Demo::secrets());
        let yaml = account_over(&folder, endpoint);
        shown(folder, &yaml).await
    };
    let of_demo = sums(demo.store().url().as_str().trim_end_matches('/')).await;
    assert!(of_demo.len() > 300, "{} series", of_demo.len());
    assert_same(&of_demo, &sums(&url).await);
}
