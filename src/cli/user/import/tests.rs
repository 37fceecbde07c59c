//! What the command sends, and what it says.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use poem::endpoint::make;
use poem::http::StatusCode;
use poem::{EndpointExt, IntoResponse, Request};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::*;
use crate::cli::connection::ServiceConnection;
use crate::cli::context::tests::{CommandTrial, script};
use crate::http::transfer::MOST_AT_ONCE;

const USERS: &str = "id,username,password,is_active\n7,ada,!,true\n8,bo,!,false\n9,cy,md5$a$5a81331fb1846b8e57abe2b2e48bcb3b,true\n";

struct ImportTrial {
    trial: CommandTrial,
    folder: tempfile::TempDir,
}

impl ImportTrial {
    fn new(answers: Vec<Value>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("users.csv"), USERS).unwrap();
        Self { trial: CommandTrial::new(answers, script(&[])), folder }
    }

    /// Writes a source with this number of full groups.
    fn with_groups(self, groups: usize) -> Self {
        let mut users = String::from("id,username,password\n");
        for number in 0..groups * MOST_AT_ONCE {
            writeln!(users, "{number},user{number},!").unwrap();
        }
        std::fs::write(self.folder.path().join("users.csv"), users).unwrap();
        self
    }

    async fn run(&mut self, dry_run: bool, json: bool, report: bool) -> Result<(), CommandFailure> {
        let import = DjangoImport {
            source: DjangoSource::File(self.folder.path().join("users.csv")),
            model: None,
            table: "auth_user".to_owned(),
            username_field: "username".to_owned(),
            weak: false,
            dry_run,
            report: report.then(|| self.folder.path().join("report.jsonl")),
            format: OutputFormat { json },
        };
        import.run(&mut self.trial.context).await
    }
}

fn sent(dry_run: bool) -> String {
    format!(
        r#"POST /operator/import-users {{"dry_run":{dry_run},"weak":false,"users":[{{"username":"ada","external_id":"7","disabled":false}},{{"username":"bo","external_id":"8","disabled":true}}]}}"#
    )
}

#[tokio::test]
async fn a_dry_run_asks_and_writes_nothing() {
    let mut scene = ImportTrial::new(vec![json!({"results": ["created", "username_taken"]})]);
    scene.run(true, false, true).await.unwrap();
    assert_eq!(scene.trial.seen(), [sent(true)]);
    assert_eq!(
        scene.trial.page.text(),
        "PASSWORD     IMPORTED  LEFT OUT\nmd5          0         1\nno password  1         1\n\
        1 user to create (1 without a password, 0 disabled), 0 there already, 2 left out (username_taken 1, weak_hash 1)\n\
        line 4: cy: its password hash: md5 is too weak to protect a password\n\
        line 3: bo: a user with another external id has this username here\n"
    );
    let report = std::fs::read_to_string(scene.folder.path().join("report.jsonl")).unwrap();
    assert_eq!(report.lines().count(), 2);
    assert!(!report.contains("5a81331f"), "{report}");
    assert!(scene.run(true, false, true).await.unwrap_err().help.contains("a new file"));
}

#[tokio::test]
async fn what_will_happen_is_said_before_the_first_write() {
    let answers = vec![json!({"results": ["created", "created"]}), json!({"results": ["created", "exists"]})];
    let mut scene = ImportTrial::new(answers);
    scene.run(false, false, false).await.unwrap();
    assert_eq!(scene.trial.seen(), [sent(true), sent(false)]);
    let said = scene.trial.stderr.text();
    assert!(said.contains("2 users to create") && said.ends_with("importing now\n\n"), "{said}");
    assert!(
        scene
            .trial
            .page
            .text()
            .starts_with("1 user created (1 without a password, 0 disabled), 1 there already, 1 left out")
    );
}

#[tokio::test]
async fn programs_get_counts_and_the_list() {
    let answers = vec![json!({"results": ["created", "exists"]}), json!({"results": ["created", "exists"]})];
    let mut scene = ImportTrial::new(answers);
    scene.run(false, true, false).await.unwrap();
    assert_eq!(scene.trial.stderr.text(), "");
    let answer: Value = serde_json::from_str(&scene.trial.page.text()).unwrap();
    assert_eq!(
        (&answer["created"], &answer["existing"], &answer["left_out"], &answer["read"]),
        (&json!(1), &json!(1), &json!(1), &json!(3))
    );
    assert_eq!(answer["listed"][0]["line"], 4);
    assert_eq!(answer["encodings"]["md5"], json!({"imported": 0, "left_out": 1}));
}

#[tokio::test]
async fn a_failure_half_way_says_how_far_it_came() {
    let refusal = json!({"code": "unavailable", "detail": "The store cannot be written."});
    let mut scene = ImportTrial::new(vec![json!({"results": ["created", "created"]}), refusal]);
    let failure = scene.run(false, false, false).await.unwrap_err();
    assert!(failure.what.ends_with("; 0 users were created before"), "{failure}");
    assert!(failure.help.contains("stay as they are"), "{failure}");
}

/// The answer of the service to a full group.
fn all_created() -> Value {
    json!({ "results": vec!["created"; MOST_AT_ONCE] })
}

#[tokio::test]
async fn several_groups_are_sent_before_the_first_is_answered() {
    let together = Arc::new(Barrier::new(3));
    let service = make(move |_: Request| {
        let together = Arc::clone(&together);
        async move {
            together.wait().await;
            Ok::<_, poem::Error>(poem::web::Json(all_created()).into_response())
        }
    });
    let mut scene = ImportTrial::new(Vec::new()).with_groups(6);
    scene.trial.connect(ServiceConnection::in_process(service.map_to_response().boxed()));
    scene.run(true, false, false).await.unwrap();
    let said = scene.trial.page.text();
    assert!(said.contains("192 users to create"), "{said}");
}

#[tokio::test]
async fn a_group_that_the_service_could_not_take_is_sent_again() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let service = make(move |_: Request| {
        let away = counted.fetch_add(1, Ordering::SeqCst) == 1;
        async move {
            let refusal = json!({ "code": "unavailable", "detail": "The store is late." });
            let refusal = (refusal, StatusCode::SERVICE_UNAVAILABLE);
            let (answer, status) = if away { refusal } else { (all_created(), StatusCode::OK) };
            Ok::<_, poem::Error>(poem::web::Json(answer).with_status(status).into_response())
        }
    });
    let mut scene = ImportTrial::new(Vec::new()).with_groups(2);
    scene.trial.connect(ServiceConnection::in_process(service.map_to_response().boxed()));
    scene.run(true, false, false).await.unwrap();
    assert_eq!(requests.load(Ordering::SeqCst), 3);
    let said = scene.trial.page.text();
    assert!(said.contains("64 users to create"), "{said}");
}

#[tokio::test]
async fn for_a_service_that_stays_away_only_one_group_waits() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let service = make(move |_: Request| {
        counted.fetch_add(1, Ordering::SeqCst);
        let answer = poem::web::Json(json!({ "code": "unavailable", "detail": "The store is late." }));
        async move { Ok::<_, poem::Error>(answer.with_status(StatusCode::SERVICE_UNAVAILABLE).into_response()) }
    });
    let mut scene = ImportTrial::new(Vec::new()).with_groups(3);
    scene.trial.connect(ServiceConnection::in_process(service.map_to_response().boxed()));
    scene.run(true, false, false).await.unwrap_err();
    assert_eq!(requests.load(Ordering::SeqCst), 3 + 6);
}

#[tokio::test]
async fn after_a_failure_the_groups_that_were_sent_too_are_counted() {
    let refusal = json!({"code": "unavailable", "detail": "The store cannot be written."});
    let mut answers = vec![all_created(); 3];
    answers.extend([all_created(), refusal, all_created()]);
    let mut scene = ImportTrial::new(answers).with_groups(3);
    let failure = scene.run(false, false, false).await.unwrap_err();
    assert!(failure.what.ends_with("; 64 users were created before"), "{failure}");
}

#[tokio::test]
async fn of_several_failures_the_first_is_told() {
    let refusal = |detail: &str| json!({ "code": "unavailable", "detail": detail });
    // More groups than are under way at once, so that the first is settled while the source is read.
    let mut answers = vec![all_created(); 18];
    answers.push(refusal("The store cannot be written."));
    answers.extend(vec![refusal("The store is late."); 17]);
    let mut scene = ImportTrial::new(answers).with_groups(18);
    let failure = scene.run(false, false, false).await.unwrap_err();
    assert!(failure.what.contains("cannot be written"), "{failure}");
}
