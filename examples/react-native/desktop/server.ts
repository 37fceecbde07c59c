// The website: pages behind a session of its own, which ends with the user's sign-out on any device.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { describe, preferred, type Texts, textsIn } from "../src/texts";
import { accountPage, script, signInPage, style, unavailablePage } from "./pages";
import { SiteSessions } from "./sessions";

const largestForm = 4096;

/** `service`: where the service is. */
export function createSite(service: string): Server {
  const sessions = new SiteSessions(service);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://site");
    const texts = textsOf(request);
    const id = cookie(request);
    const session = sessions.find(id);
    const route = `${request.method} ${pathname}`;
    switch (route) {
      case "GET /page.css":
        return send(response, 200, style, "text/css");
      case "GET /page.js":
        return send(response, 200, script, "text/javascript");
      case "GET /":
      case "GET /session": {
        const isPage = pathname === "/";
        if (!session) return isPage ? send(response, 200, signInPage(texts)) : send(response, 401);
        try {
          // The service knows of every sign-out at once. A client that is refused here calls `onSignedOut`.
          const { user } = await session.client.me();
          const number = Number.parseInt(searchParams.get("page") ?? "", 10) || 1;
          return isPage ? send(response, 200, accountPage(texts, user.username, number)) : send(response, 204);
        } catch {
          if (await session.client.session()) return send(response, 503, isPage ? unavailablePage(texts) : "");
          if (!isPage) return send(response, 401);
          // Said once: the next visit is an ordinary one.
          sessions.close(id);
          const reason = session.ended && texts.reasons[session.ended];
          return send(response, 200, signInPage(texts, reason === undefined ? {} : { reason }), "text/html", "");
        }
      }
      case "POST /sign-in": {
        if (!isOwn(request)) return send(response, 403);
        const form = await read(request);
        if (!form) return send(response, 413);
        const username = form.get("username") ?? "";
        try {
          const opened = await sessions.open(username, form.get("password") ?? "");
          sessions.close(id);
          return seeHome(response, opened);
        } catch (error) {
          return send(response, 200, signInPage(texts, { error: describe(error, texts), username }));
        }
      }
      case "POST /sign-out":
        if (!isOwn(request)) return send(response, 403);
        sessions.close(id);
        return seeHome(response, "");
      default:
        return send(response, 404, "404\n", "text/plain");
    }
  }

  return createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      console.error(error);
      if (!response.headersSent) send(response, 500);
    });
  });
}

/** `session`: the cookie's new value; empty to remove it. */
function send(response: ServerResponse, status: number, body = "", type = "text/html", session?: string): void {
  response.writeHead(status, {
    "Content-Type": `${type}; charset=utf-8`,
    "Content-Security-Policy":
      "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; " +
      "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    ...(session !== undefined && setCookie(session)),
  });
  response.end(status === 204 ? undefined : body);
}

function seeHome(response: ServerResponse, session: string): void {
  response.writeHead(303, { Location: "/", ...setCookie(session) });
  response.end();
}

/** Behind HTTPS it also has to be `Secure`, and its name to begin with `__Host-`. */
const setCookie = (session: string) => ({
  "Set-Cookie": `site=${session}; HttpOnly; SameSite=Lax; Path=/${session ? "" : "; Max-Age=0"}`,
});

const cookie = (request: IncomingMessage) => /(?:^|; )site=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];

/** Whether a form was sent from a page of this site. */
function isOwn({ headers }: IncomingMessage): boolean {
  const { origin, host } = headers;
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}

/** The fields of a form; null if it is too large. */
async function read(request: IncomingMessage): Promise<URLSearchParams | null> {
  let text = "";
  for await (const part of request.setEncoding("utf8")) {
    text += part;
    if (text.length > largestForm) return null;
  }
  return new URLSearchParams(text);
}

const textsOf = (request: IncomingMessage): Texts =>
  textsIn(preferred((request.headers["accept-language"] ?? "").split(",").map((part) => part.trim().split(";")[0] ?? "")));
