//! The entries of a frame.

use super::*;

#[test]
fn an_entry_is_complete_or_the_frame_unusable() {
    let issuer = FeedSigner::new();
    let frame: Value = serde_json::from_str(FRAME).unwrap();
    let usable = |at: usize, entry: Value| {
        let mut frame = frame.clone();
        frame["entries"][at] = entry;
        issuer.reads_frame(&issuer.sign(&frame.to_string())).is_ok()
    };
    for (at, entry) in frame["entries"].as_array().unwrap().iter().enumerate() {
        assert!(usable(at, entry.clone()));
        for name in entry.as_object().unwrap().keys() {
            let mut less = entry.clone();
            less.as_object_mut().unwrap().remove(name);
            assert_eq!(
                usable(at, less),
                ["kept", "cause"].contains(&name.as_str()),
                "{entry} without {name}"
            );
            for other in [json!(null), json!([]), json!(-1), json!("x")] {
                let mut mistyped = entry.clone();
                mistyped[name] = other.clone();
                let is_later = name == "cause" && other == "x";
                assert_eq!(usable(at, mistyped), is_later, "{entry} with {name} {other}");
            }
        }
    }
    let unknown = json!({"at": "2026-11-22T10:20:12Z", "type": "tenant_ended", "tenant": 1});
    assert!(!usable(0, unknown), "what we do not understand may end anything");
}

/// A follower of an earlier version reads a frame: it knows no `cause`, and ignores claims it does not know.
#[test]
fn a_cause_is_passed_over_by_who_does_not_know_it() {
    #[derive(serde::Deserialize)]
    struct EarlierEntry {
        r#type: String,
        generation: Option<u64>,
        kept: Option<String>,
    }
    let payload: Value = serde_json::from_str(FRAME).unwrap();
    for (at, generation, kept) in [(1, 2, Some(DEVICE)), (3, 4, None)] {
        assert!(payload["entries"][at]["cause"].is_string());
        let entry: EarlierEntry = serde_json::from_value(payload["entries"][at].clone()).unwrap();
        let told = (entry.r#type.as_str(), entry.generation, entry.kept.as_deref());
        assert_eq!(told, ("generation", Some(generation), kept));
    }
}

#[test]
fn a_cause_counts_where_it_is_known_and_fits_the_device_that_is_kept() {
    let issuer = FeedSigner::new();
    let read = |at: usize, from: &str, to: &str| {
        let frame = issuer.reads_frame(&issuer.sign(&FRAME.replacen(from, to, 1))).unwrap();
        frame.entries[at].revocation.clone()
    };
    let others = bump(2, BumpExtent::Others { kept: device() });
    let kept = format!(r#","kept":"{DEVICE}","cause""#);
    assert_eq!(read(1, "", ""), bump(2, BumpExtent::PasswordChanged { kept: device() }));
    assert_eq!(read(1, r#","cause":"password_changed""#, ""), others, "of an earlier issuer");
    assert_eq!(read(1, r#":"password_changed""#, r#":"moved""#), others, "of a later one");
    assert_eq!(read(1, r#":"password_changed""#, r#":"disabled""#), others, "fits no device that is kept");
    assert_eq!(read(1, &kept, r#","cause""#), bump(2, BumpExtent::All), "fits nobody");
    assert_eq!(read(3, "", ""), bump(4, BumpExtent::Disabled));
    assert_eq!(read(3, r#","cause":"disabled""#, ""), bump(4, BumpExtent::All), "of an earlier issuer");
    assert_eq!(read(3, r#":"disabled""#, r#":"moved""#), bump(4, BumpExtent::All), "of a later one");
}

#[test]
fn entries_beyond_the_head_are_refused() {
    let issuer = FeedSigner::new();
    for head in ["45", "0"] {
        let text = issuer.sign(&FRAME.replacen("\"head\":46", &format!("\"head\":{head}"), 1));
        assert_eq!(issuer.reads_frame(&text), Err(FeedRefusal::NotUnderstood));
    }
    let largest = FRAME.replacen("\"head\":46", &format!("\"head\":{}", u64::MAX), 1);
    let text = issuer.sign(&largest.replacen("\"after\":40", &format!("\"after\":{}", u64::MAX), 1));
    assert_eq!(issuer.reads_frame(&text), Err(FeedRefusal::NotUnderstood));
}

#[test]
fn the_fullest_frame_fits_and_a_longer_text_is_not_decoded() {
    let issuer = FeedSigner::new();
    let longest = bump((1 << 53) - 1, BumpExtent::PasswordChanged { kept: device() });
    let mut full = frame_of(vec![longest.clone(); MOST_SENT]);
    full.after = Position::new((1 << 53) - 1 - MOST_SENT as u64);
    full.entries.iter_mut().zip(full.after.value() + 1..).for_each(|(entry, at)| {
        entry.position = Position::new(at);
    });
    // The settings allow 160 bytes, each of which JSON may spell in six.
    full.statement = Statement {
        issuer: "\u{1}".repeat(160),
        head: Position::new((1 << 53) - 1),
        era: Era::new((1 << 53) - 1),
        keys: KeysVersion::new((1 << 53) - 1),
        ..statement()
    };
    let text = issuer.frame(&full);
    assert_eq!(
        Frame::verify(&text, &issuer.keys, |issuer| issuer == full.statement.issuer),
        Ok(full.clone())
    );

    let padded = FRAME.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(LONGEST_FRAME * 3 / 4)), 1);
    assert_eq!(issuer.reads_frame(&issuer.sign(&padded)), Err(FeedRefusal::TooLong));
    let padded = PONG.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(LONGEST_PONG * 3 / 4)), 1);
    assert_eq!(issuer.reads_pong(&issuer.sign(&padded)), Err(FeedRefusal::TooLong));

    let overfull = frame_of(vec![Revocation::Era(Era::new(1)); MOST_ENTRIES + 1]);
    let text = issuer.sign(&text_of(wire::write_frame(&overfull).unwrap()).replacen(":46,", ":999,", 1));
    assert_eq!(issuer.reads_frame(&text), Err(FeedRefusal::NotUnderstood));
}

#[test]
fn a_key_never_announces_its_own_distrust() {
    let issuer = FeedSigner::new();
    let frame = frame_of(vec![Revocation::Keys {
        version: KeysVersion::new(3),
        distrusted: Some(issuer.kid.clone()),
    }]);
    assert_eq!(frame.sign(&issuer.secret, &issuer.footer), Err(MintError));
    let forged = issuer.sign(&text_of(wire::write_frame(&frame).unwrap()));
    assert_eq!(issuer.reads_frame(&forged), Err(FeedRefusal::NotAuthentic));
    let other = FeedSigner::new();
    assert_eq!(other.reads_frame(&other.frame(&frame)), Ok(frame));
}
