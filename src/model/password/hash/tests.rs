//! Which password hashes are accepted, and what is said about the others.

use super::*;

const PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaA";

/// Hashes that Django's hashers wrote; those of PBKDF2 have 1,000,000 iterations.
const PBKDF2_SHA256: &str =
    "pbkdf2_sha256$1000000$8YmITtm2VzzmY2nGaYkUxj$kKDbrpIeCoF5qnz6L/3+GdfaUIG5nTz3IDssluggnpk=";
const PBKDF2_SHA1: &str = "pbkdf2_sha1$1000000$Jux1yia97bFFa0EkhQsKs2$lfQc8qlIaHamVbAcUD5m+wFiSmQ=";
const ARGON2: &str = "argon2$argon2id$v=19$m=102400,t=2,p=8$V1owZUI2TW9HeU1mdkhZcnk3MHNXVw$JaETIJ9/QlctXqc+/WlCGIUmd/L5W6U75IsGn5dN+k4";
const BCRYPT_SHA256: &str = "bcrypt_sha256$$2b$12$7RBYhIXhRbW/W5BoRyTKw.lQ5DEr81Gmpw24VZHI1bdBmtg8xjcIy";
const BCRYPT: &str = "bcrypt$$2b$12$AQo5fsBrWLTAG82bB9cQWehbn3.nlMfltaFZCRgZ3b5wlRuuRuZ4y";
const SCRYPT: &str = "scrypt$16384$tS3HRXxAE2WWMRb0u2HXJ4$8$5$9uaAhjgjdRa+EdqHtPGoEB7iFKLh3ZOoH0R8xx/QDzyEIkyAtKL+d4ILaWgwLd2odhm8JGeSmtRicVt3t6OUrQ==";
const MD5: &str = "md5$IXmsyDFNEAjOvotyY4Ng2k$5a81331fb1846b8e57abe2b2e48bcb3b";

/// What is wrong with a text that differs from an accepted hash in one place.
fn changed(good: &str, from: &str, to: &str) -> PasswordHashError {
    assert!(PasswordHash::parse(good).is_ok() && good.contains(from), "{good} {from}");
    PasswordHash::parse(&good.replacen(from, to, 1)).unwrap_err()
}

#[test]
fn the_text_is_kept_and_debug_hides_it() {
    let hash = PasswordHash::from_stored(PHC).unwrap();
    assert_eq!(format!("{hash:?}"), "PasswordHash(..)");
    assert_eq!(hash.as_str(), PHC);
}

#[test]
fn damage_in_a_stored_hash_is_no_hash() {
    for text in [
        "",
        "hunter2",
        "!x",
        "$argon2id",
        "sha9$a$b",
        "$a$b$\n",
        "$a$b$é",
        &format!("$a$b${}", "x".repeat(512)),
    ] {
        assert_eq!(PasswordHash::from_stored(text), None, "{text}");
    }
}

#[test]
fn equality_compares_the_whole_text() {
    let other = PHC.replace("aGFz", "bGFz");
    assert_ne!(PasswordHash::parse(PHC), PasswordHash::parse(&other));
    assert_eq!(PasswordHash::parse(PHC), PasswordHash::parse(PHC));
}

#[test]
fn the_encodings_of_django_are_kept_and_written_back_as_they_were() {
    let given = [
        (PBKDF2_SHA256, "pbkdf2_sha256"),
        (PBKDF2_SHA1, "pbkdf2_sha1"),
        (ARGON2, "argon2"),
        (BCRYPT_SHA256, "bcrypt_sha256"),
        (BCRYPT, "bcrypt"),
        (SCRYPT, "scrypt"),
    ];
    for (text, algorithm) in given {
        let hash = PasswordHash::parse(text).unwrap();
        assert_eq!((hash.algorithm(), hash.django()), (algorithm, text.to_owned()));
        assert_eq!(PasswordHash::from_stored(hash.as_str()), Some(hash));
    }
    let own = PasswordHash::parse(ARGON2).unwrap();
    assert_eq!(own.as_str(), ARGON2.strip_prefix("argon2").unwrap());
    assert_eq!(PasswordHash::parse(own.as_str()), Ok(own));
}

#[test]
fn old_argon2_hashes_are_accepted() {
    for phc in [
        "$argon2i$v=19$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2i$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
    ] {
        assert!(PasswordHash::parse(&format!("argon2{phc}")).is_ok(), "{phc}");
    }
}

#[test]
fn weak_ones_are_accepted_only_when_asked_and_named() {
    let hex = "5a81331fb1846b8e57abe2b2e48bcb3b";
    for (text, algorithm) in [
        (MD5.to_owned(), "md5"),
        (format!("md5$${hex}"), "unsalted_md5"),
        (hex.to_owned(), "unsalted_md5"),
        (format!("sha1$salt${hex}00000000"), "sha1"),
        (format!("sha1$${hex}00000000"), "unsalted_sha1"),
    ] {
        assert_eq!(PasswordHash::parse(&text), Err(PasswordHashError::Weak(algorithm)));
        let hash = PasswordHash::imported(&text, WeakHashes::Accept).unwrap();
        assert_eq!(hash.algorithm(), algorithm);
        assert_eq!(PasswordHash::from_stored(hash.as_str()), Some(hash));
    }
}

#[test]
fn an_account_without_a_password_is_told_from_a_bad_hash() {
    for text in ["", "!", "!mZZX1AuHrsUctIaHYR703uYPUqT8Kly0GS3VGEQI"] {
        assert_eq!(PasswordHash::parse(text), Err(PasswordHashError::NoPassword));
    }
}

#[test]
fn an_unknown_algorithm_is_named_and_nothing_else_is_shown() {
    let hash = "x".repeat(40);
    let named = |text: &str| match PasswordHash::parse(text) {
        Err(PasswordHashError::Unknown(name)) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(named(&format!("pbkdf2_sha512$1000$salt${hash}")), "pbkdf2_sha512");
    assert_eq!(named(&format!("$pbkdf2-sha256$1000$salt${hash}")), "pbkdf2-sha256");
    for text in [
        "hunter2",
        "hunter2$",
        "hunter2$hunter2$hunter2",
        &format!("{hash}${hash}${hash}"),
        &format!("Hunter$salt${hash}"),
        &format!("é$salt${hash}"),
        &format!("a b$salt${hash}"),
        &format!("hunter2${hash}"),
        &format!("sha$salt${}", "x".repeat(512)),
    ] {
        assert_eq!(named(text), "unnamed", "{text}");
    }
    let error = PasswordHash::parse(&PBKDF2_SHA256.replace('=', "")).unwrap_err().to_string();
    assert_eq!(error, "not a complete pbkdf2_sha256 hash");
}

#[test]
fn every_cost_has_a_limit() {
    let too_costly = |good: &str, from: &str, to: &str| {
        let error = changed(good, from, to);
        assert!(matches!(error, PasswordHashError::TooCostly(_)), "{from} -> {to}: {error}");
    };
    for iterations in ["5000001", "4294967295", "4294967296", "99999999999999999999999999"] {
        too_costly(PBKDF2_SHA256, "1000000", iterations);
        too_costly(PBKDF2_SHA1, "1000000", iterations);
    }
    assert!(PasswordHash::parse(&PBKDF2_SHA256.replace("1000000", "5000000")).is_ok());
    for cost in ["16", "31", "99"] {
        too_costly(BCRYPT, "$12$", &format!("${cost}$"));
        too_costly(BCRYPT_SHA256, "$12$", &format!("${cost}$"));
    }
    assert!(PasswordHash::parse(&BCRYPT.replace("$12$", "$15$")).is_ok());
    for (from, to) in [
        ("$16384$", "$2097152$"),
        ("$16384$", "$4294967296$"),
        ("$8$5$", "$4294967295$4294967295$"),
        ("$8$5$", "$129$1$"),
        ("$8$5$", "$8$33$"),
        ("$8$5$", "$256$2$"),
    ] {
        too_costly(SCRYPT, from, to);
    }
    // Few rounds over much memory.
    too_costly(SCRYPT, "$16384$tS3HRXxAE2WWMRb0u2HXJ4$8$5$", "$2$tS3HRXxAE2WWMRb0u2HXJ4$2097152$1$");
    for (from, to) in [
        ("m=102400", "m=262145"),
        ("m=102400", "m=4294967296"),
        ("t=2", "t=21"),
        ("t=2", "t=4294967295"),
        ("p=8", "p=17"),
    ] {
        too_costly(ARGON2, from, to);
    }
    assert!(PasswordHash::parse(&ARGON2.replace("m=102400,t=2", "m=262144,t=8")).is_ok());
}

#[test]
fn a_hash_that_is_cut_or_written_otherwise_is_damaged() {
    for (good, from, to) in [
        (PBKDF2_SHA256, "$1000000$", "$01000000$"),
        (PBKDF2_SHA256, "$1000000$", "$0$"),
        (PBKDF2_SHA256, "$1000000$", "$+1$"),
        (PBKDF2_SHA256, "$1000000$", "$$"),
        (PBKDF2_SHA256, "8YmITtm2VzzmY2nGaYkUxj", ""),
        (PBKDF2_SHA256, "npk=", "npk=$"),
        (PBKDF2_SHA256, "kKDb", ""),
        (PBKDF2_SHA1, "SmQ=", "SmQ"),
        (BCRYPT, "$$2b$12$", "$2b$12$"),
        (BCRYPT, "$2b$", "$2x$"),
        (BCRYPT, "$12$", "$3$"),
        (BCRYPT, "$12$", "$03$"),
        (BCRYPT, "uZ4y", "uZ4"),
        (BCRYPT, "uZ4y", "uZ4yy"),
        (BCRYPT, "AQo5", "AQ=5"),
        (SCRYPT, "$16384$", "$16383$"),
        (SCRYPT, "$16384$", "$1$"),
        (SCRYPT, "$8$5$", "$0$5$"),
        (SCRYPT, "$8$5$", "$8$0$"),
        (SCRYPT, "$8$5$", "$8$"),
        (SCRYPT, "rQ==", ""),
        (ARGON2, "v=19", "v=20"),
        (ARGON2, "$v=19", ""),
        (ARGON2, "argon2id", "argon2d"),
        (ARGON2, "$v=19", "$v=19$v=19"),
        (ARGON2, "t=2", "t=0"),
        (ARGON2, "p=8", "p=0"),
        (ARGON2, "m=102400", "m=63"),
        (ARGON2, "p=8", "p=8,p=8"),
        (ARGON2, "V1owZUI2TW9HeU1mdkhZcnk3MHNXVw", "V1ow"),
        (ARGON2, "JaETIJ9/QlctXqc+/WlCGIUmd/L5W6U75IsGn5dN+k4", "JaET"),
        (ARGON2, "N+k4", "N+k4$"),
    ] {
        let error = changed(good, from, to);
        assert!(matches!(error, PasswordHashError::Damaged(_)), "{from} -> {to}: {error}");
    }
    for good in [PBKDF2_SHA256, PBKDF2_SHA1, ARGON2, BCRYPT, BCRYPT_SHA256, SCRYPT] {
        let least = good.len() - if good == ARGON2 { 20 } else { 0 };
        for end in 0..least {
            assert!(PasswordHash::parse(&good[..end]).is_err(), "{}", &good[..end]);
        }
    }
}
