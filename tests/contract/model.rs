//! Random lives of a service, on a store, on the reference and on a naive model of the contract: every answer, every
//! token, count, list and log entry must agree.

mod compare;
mod drive;
mod naive;
mod operation;
mod outcome;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::service::Service;
use drive::Drive;

/// Lives on one kind of store; `PROPTEST_CASES` makes it more.
const LIVES: u32 = 128;

pub(crate) fn follows_the_model(found: impl AsyncFn() -> Service) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let config = Config { failure_persistence: None, ..Config::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { LIVES };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config { cases, ..config }, rng);
    let tried = runner.run(&operation::operations(), |operations| {
        runtime.block_on(async {
            let mut drive = Drive::over(found().await).await;
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
