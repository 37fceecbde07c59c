//! Random histories of a service on a store, on the reference and on a naive model of the contract: every answer,
//! every token, count, list and log entry must agree.

mod compare;
mod drive;
mod naive;
mod operation;
mod outcome;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::service::Service;
use drive::Drive;

/// Runs `lives` random histories; `PROPTEST_CASES` overrides the number.
pub(crate) fn follows_the_model(lives: u32, found: impl AsyncFn() -> Option<Service>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { failure_persistence: None, ..Config::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { lives };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config { cases, ..config }, rng);
    let tried = runner.run(&operation::operations(), |operations| {
        runtime.block_on(async {
            let Some(service) = found().await else { return };
            let mut drive = Drive::over(service).await;
            for operation in &operations {
                drive.take(operation).await;
                drive.compare().await;
            }
        });
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}
