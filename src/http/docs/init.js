"use strict";

// The operations whose answer carries a new access token, alone or in a `session`.
const SIGNS_IN = /\/api\/v1\/auth\/(register|login|refresh|password|logout-others)\/?$/;

// Signing in from the page authorises the calls after it. Signing out leaves the token in place, so that the next call
// shows what a signed-out app sees: 401.
function authorise(response) {
  if (response.ok && SIGNS_IN.test(new URL(response.url, location.href).pathname)) {
    const session = response.body?.session ?? response.body;
    if (typeof session?.access === "string") {
      ui.authActions.authorizeWithPersistOption({
        bearer: { name: "bearer", schema: { type: "http", scheme: "bearer" }, value: session.access },
      });
    }
  }
  return response;
}

// There is one server, this one: nothing to choose.
const withoutServers = () => ({ wrapComponents: { ServersContainer: () => () => null } });

// This page answers at `docs` and at `docs/`; what is relative to it, in the document's texts too, is meant from `docs`.
if (location.pathname.endsWith("/")) {
  history.replaceState(null, "", location.pathname.replace(/\/+$/, "") + location.search + location.hash);
}

// Where the service is, below whatever prefix.
const service = new URL(".", location.href);
const isFeed = new URLSearchParams(location.search).has("feed");
let ui;

async function show() {
  const response = await fetch(new URL(isFeed ? "openapi/feed.json" : "openapi.json", service));
  if (!response.ok) throw new Error(`the document is not there: ${response.status}`);
  const document = await response.json();
  // The page tries out the service that it came from, whatever name others know that by.
  document.servers = [{ url: service.href.replace(/\/$/, "") }];
  ui = SwaggerUIBundle({
    spec: document,
    dom_id: "#swagger-ui",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    persistAuthorization: true,
    plugins: [withoutServers],
    responseInterceptor: authorise,
    tryItOutEnabled: true,
    validatorUrl: null,
  });
}

show().catch((error) => {
  document.getElementById("swagger-ui").textContent = `Reload the page: ${error.message}`;
});
