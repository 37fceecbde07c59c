//! A store copied to a database with a synchronous standby, or away from one: what is not on the standby is not
//! acknowledged, or a promotion would create a second store.

use rustix::process::Signal;

use super::nodes::Shared;
use super::standby::Pair;
use crate::place::{Place, RESCIND, Ran, run};
use crate::session::Session;

const NOT_WAITED: &str = "did not wait for its standby";

/// A store in a folder, and a database with a standby.
struct Scene {
    pair: Pair,
    shared: Shared,
    place: Place,
    phone: Session,
}

impl Scene {
    fn new() -> Option<Self> {
        let pair = Pair::start()?;
        let place = Place::new();
        let server = place.serve();
        let phone = Session::register(&server.client, "ada", "Phone");
        server.stop();
        let shared = Shared::new(&pair.url()).with_master_key(place.master_key().to_str().unwrap());
        Some(Self { pair, shared, place, phone })
    }

    fn copy(&self, from: &str, to: &str) -> Ran {
        run(self.place.program(RESCIND, &["store", "copy", "--from", from, "--to", to]), "")
    }

    fn arrive(&self) -> Ran {
        self.copy("./rescind-data", &self.pair.url())
    }

    fn leave(&self) -> Ran {
        self.copy(&self.pair.url(), "./back")
    }

    /// Resumes the standby and waits until it has caught up.
    fn go_on(&self) {
        self.pair.standby.signal(Signal::CONT);
        self.pair.wait_until_in_step();
    }

    fn assert_alive_in_the_database(&self) {
        let node = self.shared.join(&[]);
        self.phone.assert_alive(&node.server.client);
        node.server.stop();
    }
}

#[test]
fn a_copy_that_did_not_reach_the_standby_leaves_the_source_as_it_was() {
    let Some(scene) = Scene::new() else { return };
    scene.pair.standby.signal(Signal::STOP);
    scene.pair.broken_off(|| scene.arrive()).assert_failed(&[NOT_WAITED, "run the same command again"]);
    scene.phone.me(&scene.place.serve().client).ok();
    scene.shared.refused(&[]).assert_failed(&["unfinished copy"]);
    scene.go_on();
    scene.arrive().ok();
    scene.assert_alive_in_the_database();
}

#[test]
fn a_founding_that_did_not_reach_the_standby_is_not_acknowledged() {
    let Some(scene) = Scene::new() else { return };
    let shared = scene.shared.with_master_key("none");
    shared.refused(&[]).assert_failed(&["none", "it is missing"]);
    // The trigger suspends the standby when everything except the initialization has reached it. The command reads its
    // input, as COPY fails to write to one that has ended, and returns once no process of the standby runs.
    let standby = scene.pair.standby.ids();
    scene.pair.primary.sql(&format!(
        "create function rescind.alone() returns trigger language plpgsql as $$ begin
            copy (select) to program 'cat > /dev/null; kill -STOP {standby};
                for id in {standby}; do while grep -q State:.[RSD] /proc/$id/status; do :; done; done';
            return new;
         end $$;
         create trigger alone before update on rescind.service for each row
            when (old.founding is null and new.founding is not null) execute function rescind.alone()"
    ));
    let founding = scene.pair.broken_off(|| scene.arrive());
    founding.assert_failed(&[NOT_WAITED, "all is copied", "start `rescind serve`"]);
    scene.place.refused(&[]).assert_failed(&["was moved to"]);
    scene.go_on();
    scene.assert_alive_in_the_database();
}

#[test]
fn a_store_whose_leaving_did_not_reach_the_standby_is_not_founded_elsewhere() {
    let Some(scene) = Scene::new() else { return };
    scene.arrive().ok();
    scene.pair.standby.signal(Signal::STOP);
    // Nor the second time, when the primary has recorded that the store was moved.
    for _ in 0..2 {
        let leaving = scene.pair.broken_off(|| scene.leave());
        leaving.assert_failed(&[NOT_WAITED, "could not be marked as moved", "run the same command again"]);
        scene.place.refused(&["--data", "back"]).assert_failed(&["unfinished copy"]);
    }
    scene.go_on();
    scene.leave().ok();
    scene.shared.refused(&[]).assert_failed(&["was moved to"]);
    let key = format!("master_key_file={}", scene.place.master_key().display());
    let server = scene.place.serve_with(&["--data", "back", "--set", &key]);
    scene.phone.assert_alive(&server.client);
}
