//! A readable device name, guessed from the `User-Agent` header if the client gave none.
//!
//! The guess only helps people to tell their devices apart; nothing is decided by it. The tables list common browsers
//! and app libraries, each before those whose name it also contains (Edge says it is Chrome, Chrome says it is
//! Safari), and ignore versions.

/// The most bytes of the header that are read.
const MAX_BYTES: usize = 512;

/// The most characters taken from an app's own name.
const MAX_APP_NAME: usize = 40;

/// The name and kind guessed from a `User-Agent` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeviceGuess {
    /// The device's name, such as "Chrome on Windows", "Android app (okhttp)" or "Unknown device": 1–100 visible
    /// characters.
    pub(super) name: String,
    /// The device's kind: `mobile`, `desktop`, `browser` or `other`.
    pub(super) kind: &'static str,
}

/// Libraries and tools whose header starts with their name: (start of the header in lower case, name, kind).
const CLIENTS: &[(&str, &str, &str)] = &[
    ("okhttp/", "Android app (okhttp)", "mobile"),
    ("dalvik/", "Android app", "mobile"),
    ("dart/", "Dart app", "mobile"),
    ("axios/", "JavaScript app (axios)", "other"),
    ("node-fetch/", "JavaScript app (node-fetch)", "other"),
    ("got (", "JavaScript app (got)", "other"),
    ("undici", "JavaScript app (Node)", "other"),
    ("node", "JavaScript app (Node)", "other"),
    ("bun/", "JavaScript app (Bun)", "other"),
    ("deno/", "JavaScript app (Deno)", "other"),
    ("curl/", "curl", "other"),
    ("wget/", "Wget", "other"),
    ("httpie/", "HTTPie", "other"),
    ("postmanruntime/", "Postman", "other"),
    ("insomnia/", "Insomnia", "other"),
    ("bruno-runtime/", "Bruno", "other"),
    ("python-requests/", "Python app (requests)", "other"),
    ("python-httpx/", "Python app (httpx)", "other"),
    ("python-urllib", "Python app (urllib)", "other"),
    ("python/", "Python app (aiohttp)", "other"),
    ("go-http-client/", "Go app", "other"),
    ("java-http-client/", "Java app", "other"),
    ("java/", "Java app", "other"),
    ("apache-httpclient/", "Java app (HttpClient)", "other"),
    ("ktor", "Kotlin app (Ktor)", "other"),
    ("reqwest/", "Rust app (reqwest)", "other"),
    ("guzzlehttp/", "PHP app (Guzzle)", "other"),
    ("faraday ", "Ruby app (Faraday)", "other"),
    ("ruby", "Ruby app", "other"),
];

/// Browsers: (substring only this browser sends, name); each before those it claims to be.
const BROWSERS: &[(&str, &str)] = &[
    ("electron/", "Electron app"),
    ("samsungbrowser/", "Samsung Internet"),
    ("edg/", "Edge"),
    ("edga/", "Edge"),
    ("edgios/", "Edge"),
    ("edge/", "Edge"),
    ("opr/", "Opera"),
    ("opt/", "Opera"),
    ("opios/", "Opera"),
    ("opera", "Opera"),
    ("vivaldi/", "Vivaldi"),
    ("yabrowser/", "Yandex Browser"),
    ("ucbrowser/", "UC Browser"),
    ("duckduckgo/", "DuckDuckGo"),
    ("ddg/", "DuckDuckGo"),
    ("fxios/", "Firefox"),
    ("focus/", "Firefox Focus"),
    ("firefox/", "Firefox"),
    ("crios/", "Chrome"),
    ("; wv)", "Android app (web view)"),
    ("chrome/", "Chrome"),
    ("android", "Android Browser"),
    ("version/", "Safari"),
    ("trident/", "Internet Explorer"),
    ("msie ", "Internet Explorer"),
    ("applewebkit/", "App"),
];

/// Operating systems: (substring, name). iPads and phones also say "Mac OS X", Android and Chrome OS also say "Linux"
/// or "X11".
const SYSTEMS: &[(&str, &str)] = &[
    ("iphone", "iPhone"),
    ("ipad", "iPad"),
    ("ipod", "iPod"),
    ("windows phone", "Windows Phone"),
    ("android", "Android"),
    ("windows", "Windows"),
    ("cros ", "ChromeOS"),
    ("macintosh", "macOS"),
    ("mac os x", "macOS"),
    ("freebsd", "FreeBSD"),
    ("linux", "Linux"),
];

/// Guesses a device's name and kind from a `User-Agent` header; an absent header is the empty text.
pub(super) fn readable(header: &str) -> DeviceGuess {
    let cut = header.char_indices().map(|(at, _)| at).take_while(|at| *at <= MAX_BYTES).last().unwrap_or(0);
    let header = if header.len() > MAX_BYTES { header.get(..cut).unwrap_or_default() } else { header }.trim();
    let lower = header.to_ascii_lowercase();
    client(&lower)
        .or_else(|| apple_app(header, &lower))
        .or_else(|| browser(&lower))
        .unwrap_or_else(|| guess("Unknown device", "other"))
}

fn client(lower: &str) -> Option<DeviceGuess> {
    CLIENTS.iter().find(|(start, ..)| lower.starts_with(start)).map(|&(_, name, kind)| guess(name, kind))
}

/// Recognises apps on Apple systems: `MyApp/42 CFNetwork/1485 Darwin/23.1.0`, as `URLSession` writes it (on a Mac
/// perhaps with the architecture), or Alamofire's `MyApp/1.0 (com.example.app; build:1; iOS 17.0.0) Alamofire/5.8.0`.
fn apple_app(header: &str, lower: &str) -> Option<DeviceGuess> {
    if !lower.contains("cfnetwork/") && !lower.contains("alamofire/") {
        return None;
    }
    let desktop = lower.contains("x86_64") || lower.contains("(mac") || lower.contains("; macos");
    let phone = lower.contains("iphone") || lower.contains("ipad") || lower.contains("; ios");
    let (system, kind) = match (phone, desktop) {
        (true, _) => (" on iOS", "mobile"),
        (false, true) => (" on macOS", "desktop"),
        (false, false) => ("", "mobile"),
    };
    let app = app_name(header).unwrap_or_else(|| "Apple app".to_owned());
    Some(DeviceGuess { name: format!("{app}{system}"), kind })
}

/// The product name before the first slash with `%20` decoded, if it is plain ASCII and not the name of a library or
/// system, which would say nothing to a person.
fn app_name(header: &str) -> Option<String> {
    let (product, _) = header.split_once('/')?;
    let name = product.replace("%20", " ");
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.'));
    let telling = !matches!(
        name.as_str(),
        "" | "CFNetwork" | "Darwin" | "Alamofire" | "Mozilla" | "com.apple.WebKit.Networking"
    );
    let name: String = name.trim().chars().take(MAX_APP_NAME).collect();
    (plain && telling && !name.is_empty()).then_some(name)
}

fn browser(lower: &str) -> Option<DeviceGuess> {
    if !lower.starts_with("mozilla/") && !lower.starts_with("opera/") {
        return None;
    }
    let browser = first_in(BROWSERS, lower);
    let system = first_in(SYSTEMS, lower);
    let kind = match browser {
        Some("Electron app") => "desktop",
        Some("App" | "Android app (web view)") => "mobile",
        _ => "browser",
    };
    match (browser, system) {
        (Some("Android app (web view)"), _) => Some(guess("Android app (web view)", kind)),
        (Some(browser), Some(system)) => Some(guess(&format!("{browser} on {system}"), kind)),
        (Some(browser), None) => Some(guess(browser, kind)),
        (None, Some(system)) => Some(guess(&format!("Browser on {system}"), kind)),
        (None, None) => None,
    }
}

fn first_in(table: &[(&str, &'static str)], lower: &str) -> Option<&'static str> {
    table.iter().find(|(needle, _)| lower.contains(needle)).map(|&(_, name)| name)
}

fn guess(name: &str, kind: &'static str) -> DeviceGuess {
    DeviceGuess { name: name.to_owned(), kind }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)";
    const WIN: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";
    const IPHONE: &str =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
    const DROID: &str = "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko)";
    const BLINK: &str = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0";

    #[test]
    fn real_headers_read_as_a_person_would_say_it() {
        let table = [
            (format!("{WIN} {BLINK} Safari/537.36"), "Chrome on Windows", "browser"),
            (format!("{MAC} {BLINK} Safari/537.36"), "Chrome on macOS", "browser"),
            (format!("Mozilla/5.0 (X11; Linux x86_64) {BLINK} Safari/537.36"), "Chrome on Linux", "browser"),
            (format!("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {BLINK} Safari/537.36"), "Chrome on ChromeOS", "browser"),
            (format!("{DROID} Chrome/126.0.0.0 Mobile Safari/537.36"), "Chrome on Android", "browser"),
            (format!("{IPHONE} CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1"), "Chrome on iPhone", "browser"),
            (format!("{WIN} {BLINK} Safari/537.36 Edg/126.0.0.0"), "Edge on Windows", "browser"),
            (format!("{DROID} Chrome/126.0.0.0 Mobile Safari/537.36 EdgA/126.0.0.0"), "Edge on Android", "browser"),
            (format!("{IPHONE} Version/17.0 EdgiOS/125.0 Mobile/15E148 Safari/604.1"), "Edge on iPhone", "browser"),
            (format!("{WIN} {BLINK} Safari/537.36 OPR/111.0.0.0"), "Opera on Windows", "browser"),
            ("Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18".into(), "Opera on Windows", "browser"),
            (
                format!("{DROID} SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36"),
                "Samsung Internet on Android",
                "browser",
            ),
            (format!("{MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15"), "Safari on macOS", "browser"),
            (format!("{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1"), "Safari on iPhone", "browser"),
            (
                "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1".into(),
                "Safari on iPad",
                "browser",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0".into(), "Firefox on Linux", "browser"),
            ("Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0".into(), "Firefox on Android", "browser"),
            (format!("{IPHONE} FxiOS/127.0 Mobile/15E148 Safari/605.1.15"), "Firefox on iPhone", "browser"),
            (format!("{WIN} {BLINK} Safari/537.36 Vivaldi/6.7"), "Vivaldi on Windows", "browser"),
            ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko".into(), "Internet Explorer on Windows", "browser"),
            (format!("{MAC} AppleWebKit/537.36 (KHTML, like Gecko) MyApp/1.2 Chrome/124.0 Electron/30.1.0 Safari/537.36"), "Electron app on macOS", "desktop"),
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36".into(),
                "Android app (web view)",
                "mobile",
            ),
            (format!("{IPHONE} Mobile/15E148"), "App on iPhone", "mobile"),
            ("okhttp/4.12.0".into(), "Android app (okhttp)", "mobile"),
            ("Dalvik/2.1.0 (Linux; U; Android 13; Pixel 6 Build/TQ3A)".into(), "Android app", "mobile"),
            ("MyApp/42 CFNetwork/1494.0.7 Darwin/23.4.0".into(), "MyApp", "mobile"),
            ("My%20Bank/7 CFNetwork/1220.1 Darwin/20.3.0 (x86_64)".into(), "My Bank on macOS", "desktop"),
            ("MyApp/1.0 (com.example.app; build:1; iOS 17.0.0) Alamofire/5.8.0".into(), "MyApp on iOS", "mobile"),
            ("MyApp/1.0 (iPhone; iOS 17.5) CFNetwork/1494 Darwin/23.4.0".into(), "MyApp on iOS", "mobile"),
            ("%E2%80%AE/1 CFNetwork/1494.0.7 Darwin/23.4.0".into(), "Apple app", "mobile"),
            ("CFNetwork/1494.0.7 Darwin/23.4.0".into(), "Apple app", "mobile"),
            ("Dart/3.4 (dart:io)".into(), "Dart app", "mobile"),
            ("axios/1.7.2".into(), "JavaScript app (axios)", "other"),
            ("node".into(), "JavaScript app (Node)", "other"),
            ("curl/8.5.0".into(), "curl", "other"),
            ("python-requests/2.32.3".into(), "Python app (requests)", "other"),
            ("Go-http-client/1.1".into(), "Go app", "other"),
            ("Java/17.0.11".into(), "Java app", "other"),
            ("PostmanRuntime/7.39.0".into(), "Postman", "other"),
            ("reqwest/0.12.5".into(), "Rust app (reqwest)", "other"),
            (String::new(), "Unknown device", "other"),
            ("Mozilla/5.0".into(), "Unknown device", "other"),
            ("<script>alert(1)</script>".into(), "Unknown device", "other"),
        ];
        for (header, name, kind) in table {
            assert_eq!(readable(&header), guess(name, kind), "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_gives_a_short_visible_name(start in "(Mozilla/5.0 )?", text in any::<String>(), end in "( CFNetwork/1)?") {
            let DeviceGuess { name, kind } = readable(&format!("{start}{text}{end}"));
            prop_assert!((1..=100).contains(&name.chars().count()));
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || " ()-_.".contains(c)), "{:?}", name);
            prop_assert!(["mobile", "desktop", "browser", "other"].contains(&kind));
        }
    }

    #[test]
    fn a_huge_header_costs_and_yields_little() {
        let header = format!("{}/1 CFNetwork/1 Darwin/1", "x".repeat(200));
        assert_eq!(readable(&header).name.chars().count(), 40);
        assert_eq!(readable(&"é".repeat(1_000_000)), guess("Unknown device", "other"));
    }
}
