//! The context of every operator command: the connection to the service, the prompt, and the outputs.

use std::io;
use std::sync::Arc;

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::connection::{ServiceConnection, segment};
use super::failure::CommandFailure;
use super::output::{Column, Output, OutputFormat};
use super::prompt::{self, Prompt, Terminal};
use super::service;
use super::service_refusal::ServiceRefusal;
use crate::settings::Settings;

/// The failure where nothing has the given name or id: that it does not exist, and the command that lists what does.
pub(super) type Missing = (&'static str, &'static str);

/// The context of one command.
pub(super) struct CommandContext {
    pub(super) settings: Settings,
    /// The connection to the service, made at the first request, so that a store is not held open while someone types
    /// a password.
    connection: Option<Arc<ServiceConnection>>,
    missing: Missing,
    pub(super) prompt: Box<dyn Prompt>,
    pub(super) out: Output,
    /// Standard error, for everything but the answer, so that `$(rescind …)` captures the answer alone.
    pub(super) stderr: Output,
}

impl CommandContext {
    pub(super) fn new(settings: Settings, missing: Missing) -> Self {
        let (out, stderr) = (Output::stdout(), Output::stderr());
        Self { settings, connection: None, missing, prompt: Box::new(Terminal), out, stderr }
    }

    /// Sends one request and waits for its answer.
    pub(super) async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, CommandFailure> {
        let answer = self.connected().await?.call(method, path, body).await;
        self.understood(answer)
    }

    /// Sends one request that adds something. Returns it, and whether it was added; otherwise it exists already.
    pub(super) async fn add(&mut self, path: &str, body: Value) -> Result<(Value, bool), CommandFailure> {
        let answer = self.connected().await?.exchange(Method::POST, path, Some(body)).await;
        let (status, added) = answer?;
        Ok((added, status == StatusCode::CREATED))
    }

    /// Sends one request and waits for nothing, so that several can be under way.
    pub(super) async fn send(
        &mut self,
        method: Method,
        path: &'static str,
        body: Option<Value>,
    ) -> Result<JoinHandle<Result<Value, ServiceRefusal>>, CommandFailure> {
        let connection = Arc::clone(self.connected().await?);
        Ok(tokio::spawn(async move { connection.call(method, path, body).await }))
    }

    async fn connected(&mut self) -> Result<&Arc<ServiceConnection>, CommandFailure> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Arc::new(ServiceConnection::find(&self.settings, service::in_process).await?),
        };
        Ok(self.connection.insert(connection))
    }

    fn understood(&self, answer: Result<Value, ServiceRefusal>) -> Result<Value, CommandFailure> {
        match answer {
            Err(ServiceRefusal::Problem { code, .. }) if code == "not_found" => {
                let (what, help) = self.missing;
                Err(CommandFailure::new(what, help))
            }
            answer => Ok(answer?),
        }
    }

    pub(super) async fn fetch(&mut self, path: &str) -> Result<Value, CommandFailure> {
        self.call(Method::GET, path, None).await
    }

    /// Fetches the page of a list after the cursor `after`; without one, the first page. `path` has a query.
    pub(super) async fn fetch_page(
        &mut self,
        path: &str,
        after: Option<&str>,
    ) -> Result<Value, CommandFailure> {
        let after = after.map(|after| format!("&after={}", segment(after))).unwrap_or_default();
        self.fetch(&format!("{path}{after}")).await
    }

    /// Fetches every page of a list from the cursor `after` on and joins their `results`. `path` has a query. After each
    /// page, `progress` is given the number of results so far.
    pub(super) async fn fetch_all(
        &mut self,
        path: &str,
        mut after: Option<String>,
        progress: impl Fn(usize),
    ) -> Result<Value, CommandFailure> {
        let mut all = Vec::new();
        loop {
            let mut answer = self.fetch_page(path, after.as_deref()).await?;
            if let Some(results) = answer.get_mut("results").and_then(Value::as_array_mut) {
                all.append(results);
            }
            progress(all.len());
            after = answer.get("next").and_then(Value::as_str).map(str::to_owned);
            if after.is_none() {
                return Ok(json!({ "results": all }));
            }
        }
    }

    pub(super) fn confirm(&mut self, yes: bool, deed: &str) -> Result<(), CommandFailure> {
        prompt::confirm(self.prompt.as_mut(), yes, deed)
    }

    pub(super) fn answer(
        &mut self,
        format: OutputFormat,
        answer: &Value,
        sentence: &str,
    ) -> Result<(), CommandFailure> {
        Ok(self.out.answer(format, answer, sentence)?)
    }

    pub(super) fn list(
        &mut self,
        format: OutputFormat,
        answer: &Value,
        columns: &[Column],
    ) -> Result<(), CommandFailure> {
        Ok(self.out.list(format, answer, columns)?)
    }

    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.out.line(text)
    }
}

/// The body of a request with the reason to record, if any.
pub(super) fn because(reason: Option<String>) -> Value {
    reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }))
}

/// The number of devices that an answer says were signed out, as a phrase.
pub(super) fn signed_out(answer: &Value) -> String {
    match answer.get("signed_out").and_then(Value::as_u64) {
        Some(1) => "1 device signed out".to_owned(),
        Some(count) => format!("{count} devices signed out"),
        None => "done".to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use poem::endpoint::make;
    use poem::{EndpointExt, IntoResponse, Request};

    use super::*;
    use crate::cli::prompt::tests::Scripted;

    /// The text that a command printed.
    #[derive(Clone, Default)]
    pub(in crate::cli) struct CapturedOutput(Arc<Mutex<Vec<u8>>>);

    impl CapturedOutput {
        pub(in crate::cli) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for CapturedOutput {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A command context whose service records each request and gives the answers in order: one with a `code` is a refusal,
    /// one with `added` has the status 201.
    pub(in crate::cli) struct CommandTrial {
        pub(in crate::cli) context: CommandContext,
        pub(in crate::cli) page: CapturedOutput,
        pub(in crate::cli) stderr: CapturedOutput,
        seen: Arc<Mutex<Vec<String>>>,
    }

    impl CommandTrial {
        pub(in crate::cli) fn new(answers: Vec<Value>, prompt: Scripted) -> Self {
            let seen: Arc<Mutex<Vec<String>>> = Arc::default();
            let (log, answers) = (Arc::clone(&seen), Arc::new(Mutex::new(answers)));
            let service = make(move |request: Request| {
                let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.into_string().await.unwrap();
                    let line = format!("{} {} {body}", parts.method, parts.uri);
                    log.lock().unwrap().push(line.trim_end().to_owned());
                    let answer = answers.lock().unwrap().remove(0);
                    let status = match (answer.get("code"), answer.get("added")) {
                        (Some(_), _) => StatusCode::CONFLICT,
                        (None, Some(_)) => StatusCode::CREATED,
                        (None, None) => StatusCode::OK,
                    };
                    Ok::<_, poem::Error>(poem::web::Json(answer).with_status(status).into_response())
                }
            });
            let (page, stderr) = (CapturedOutput::default(), CapturedOutput::default());
            let context = CommandContext {
                settings: Settings::with(&[]).unwrap(),
                connection: Some(Arc::new(ServiceConnection::in_process(service.map_to_response().boxed()))),
                missing: ("there is no such thing", "look elsewhere"),
                prompt: Box::new(prompt),
                out: Output::to(page.clone()),
                stderr: Output::to(stderr.clone()),
            };
            Self { context, page, stderr, seen }
        }

        /// Takes another service in the place of the one that gives the answers.
        pub(in crate::cli) fn connect(&mut self, connection: ServiceConnection) {
            self.context.connection = Some(Arc::new(connection));
        }

        /// The requests so far, each as method, path and body.
        pub(in crate::cli) fn seen(&self) -> Vec<String> {
            self.seen.lock().unwrap().clone()
        }
    }

    /// A prompt with these answers and without a terminal.
    pub(in crate::cli) fn script(answers: &[&'static str]) -> Scripted {
        Scripted { here: false, answers: answers.to_vec() }
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_in_the_words_of_the_command() {
        let mut trial =
            CommandTrial::new(vec![json!({"code": "not_found", "detail": "Correct the path."})], script(&[]));
        let failure = trial.context.fetch("/nowhere").await.unwrap_err();
        assert_eq!(failure.to_string(), "error: there is no such thing\nhelp: look elsewhere");
    }

    #[test]
    fn one_device_is_not_plural() {
        assert_eq!(signed_out(&json!({"signed_out": 1})), "1 device signed out");
        assert_eq!(signed_out(&json!({"signed_out": 0})), "0 devices signed out");
        assert_eq!(signed_out(&json!(null)), "done");
    }
}
