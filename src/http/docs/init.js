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

const ui = SwaggerUIBundle({
  url: new URLSearchParams(location.search).has("feed") ? "/openapi/feed.json" : "/openapi.json",
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
