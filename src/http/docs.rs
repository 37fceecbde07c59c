//! Swagger UI at `/docs`: the service's own operations to try, offline and under a strict content policy.
//!
//! Every link is relative, so that the page works below whatever prefix a proxy puts before it.
//!
//! The two large files are `swagger-ui-dist` 5.35.0 as published (Apache-2.0, see `docs/LICENSE` and `docs/NOTICE`);
//! the page and its start-up script are ours.

use poem::{
    Body, Endpoint, Request, Response, Result, Route, get,
    http::{Method, StatusCode, header},
};

use super::edge::TrailingSlash;
use super::etag;
use super::routes::Routes;

/// The `Content-Security-Policy` of the page: nothing from elsewhere, nothing inline, so no text in the page can run
/// as code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// `Cache-Control` of our own files, which change with any release. Those of Swagger UI change with its version only,
/// and a copy a day old does no harm.
const OURS: &str = "no-cache";
const THEIRS: &str = "public, max-age=86400";

struct Asset {
    path: &'static str,
    media_type: &'static str,
    caching: &'static str,
    content: &'static [u8],
}

macro_rules! assets {
    ($($path:literal = $file:literal, $media_type:literal, $caching:ident;)*) => {
        const ASSETS: &[Asset] = &[
            $(Asset { path: $path, media_type: $media_type, caching: $caching, content: include_bytes!($file) },)*
        ];
    };
}

assets! {
    "/docs" = "docs/index.html", "text/html; charset=utf-8", OURS;
    "/docs/init.js" = "docs/init.js", "text/javascript; charset=utf-8", OURS;
    "/docs/swagger-ui-bundle.js" = "docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8", THEIRS;
    "/docs/swagger-ui.css" = "docs/swagger-ui.css", "text/css; charset=utf-8", THEIRS;
    "/docs/favicon-32x32.png" = "docs/favicon-32x32.png", "image/png", THEIRS;
}

/// Adds the page and its files to the app.
#[must_use]
pub fn mount(app: Route) -> Route {
    ASSETS.iter().fold(app, |app, asset| app.at(asset.path, get(ServeAsset::new(asset))))
}

/// Names the page and its files in the log and the metrics.
#[must_use]
pub fn name(routes: Routes<'_>) -> Routes<'_> {
    ASSETS.iter().fold(routes, |routes, asset| routes.at(Method::GET, asset.path, "docs"))
}

struct ServeAsset {
    asset: &'static Asset,
    etag: String,
    /// The page for a request of the folder `/docs/`, from where its files are not below `docs/`; with its entity tag.
    of_folder: Option<(String, String)>,
}

impl ServeAsset {
    fn new(asset: &'static Asset) -> Self {
        let page = str::from_utf8(asset.content).ok().filter(|_| asset.path == "/docs");
        let of_folder = page.map(|page| page.replace("\"docs/", "\""));
        let of_folder = of_folder.map(|page| (etag::of(page.as_bytes()), page));
        Self { asset, etag: etag::of(asset.content), of_folder }
    }
}

impl Endpoint for ServeAsset {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (tag, content) = match (&self.of_folder, request.data::<TrailingSlash>()) {
            (Some((tag, page)), Some(TrailingSlash)) => (tag, Body::from(page.clone())),
            _ => (&self.etag, Body::from(self.asset.content)),
        };
        let response = Response::builder()
            .header(header::ETAG, tag)
            .header(header::CACHE_CONTROL, self.asset.caching)
            .header(header::CONTENT_SECURITY_POLICY, POLICY);
        Ok(if etag::is_known(request.headers(), tag) {
            response.status(StatusCode::NOT_MODIFIED).finish()
        } else {
            response.content_type(self.asset.media_type).body(content)
        })
    }
}

#[cfg(test)]
mod tests {
    use poem::EndpointExt as _;
    use poem::test::TestClient;

    use super::*;

    #[tokio::test]
    async fn every_file_the_page_names_is_served() {
        let client = TestClient::new(mount(Route::new()));
        let page = client.get("/docs").send().await.0;
        assert_eq!(page.header("content-security-policy"), Some(POLICY));
        let html = page.into_body().into_string().await.unwrap();
        let named: Vec<_> = html.split('"').filter(|text| text.starts_with("docs/")).collect();
        assert_eq!(named.len(), ASSETS.len() - 1, "{named:?}");
        for path in named {
            let response = client.get(format!("/{path}")).send().await.0;
            assert_eq!(response.status(), 200, "{path}");
            assert!(response.header("cache-control").is_some(), "{path}");
        }
    }

    #[tokio::test]
    async fn the_page_of_the_folder_names_its_files_from_there() {
        let app = mount(Route::new()).before(|mut request: Request| async move {
            request.set_data(TrailingSlash);
            Ok(request)
        });
        let client = TestClient::new(app);
        let page = client.get("/docs").send().await.0;
        let etag = page.header("etag").unwrap().to_owned();
        let html = page.into_body().into_string().await.unwrap();
        assert!(html.contains("src=\"init.js\"") && !html.contains("\"docs/"), "{html}");
        let plain = TestClient::new(mount(Route::new())).get("/docs").send().await.0;
        assert_ne!(plain.header("etag").unwrap(), etag);
    }

    #[test]
    fn the_page_itself_needs_nothing_the_policy_forbids() {
        let html = include_str!("docs/index.html");
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"docs/").count());
        assert!(!html.contains("=\"/"), "a link that a prefix would break");
        for inline in ["<style", "style=", "onload=", "http:", "https:"] {
            assert!(!html.contains(inline), "{inline}");
        }
    }

    #[tokio::test]
    async fn a_file_the_browser_has_is_not_sent_again() {
        let client = TestClient::new(mount(Route::new()));
        let first = client.get("/docs/swagger-ui.css").send().await.0;
        let etag = first.header("etag").unwrap().to_owned();
        for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
            let again = client.get("/docs/swagger-ui.css").header("if-none-match", known).send().await.0;
            assert_eq!(again.status(), 304);
            for header in ["etag", "cache-control", "content-security-policy"] {
                assert_eq!(again.header(header), first.header(header), "{header}");
            }
            assert!(again.into_body().into_vec().await.unwrap().is_empty());
        }
        let changed = client.get("/docs/swagger-ui.css").header("if-none-match", "\"other\"").send().await.0;
        assert_eq!(changed.status(), 200);
    }
}
