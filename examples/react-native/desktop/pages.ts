// The pages of the website, as HTML.

import type { Texts } from "../src/texts";

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const safe = (text: string) => text.replace(/[&<>"']/g, (letter) => escapes[letter]!);

function page(texts: Texts, title: string, body: string, isSignedIn = false): string {
  return `<!doctype html>
<html lang="${texts.locale.slice(0, 2)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${safe(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
${isSignedIn ? '<script defer src="/page.js"></script>' : ""}
</head>
<body><main>
<h1>${safe(title)}</h1>
${body}
</main></body>
</html>
`;
}

const notice = (text: string | undefined, kind: "status" | "alert") =>
  text === undefined ? "" : `<p class="notice ${kind}" role="${kind}">${safe(text)}</p>`;

/** The sign-in page. `reason` says why the session before has ended, `error` why this sign-in was refused. */
export function signInPage(texts: Texts, said: { reason?: string; error?: string; username?: string } = {}): string {
  return page(
    texts,
    texts.site,
    `${notice(said.reason, "status")}
<form method="post" action="/sign-in">
<p>${safe(texts.siteSignInWith)}</p>
<label>${safe(texts.username)} <input name="username" autocomplete="username" autocapitalize="none" required
  value="${safe(said.username ?? "")}"></label>
<label>${safe(texts.password)} <input name="password" type="password" autocomplete="current-password" required></label>
${notice(said.error, "alert")}
<button>${safe(texts.signIn)}</button>
</form>`,
  );
}

/** One of the pages that only somebody who is signed in sees. */
export function accountPage(texts: Texts, username: string, number: number): string {
  return page(
    texts,
    texts.site,
    `<section>
<h2>${safe(texts.hello(username))}</h2>
<p>${safe(texts.siteText)}</p>
<p class="muted">${safe(texts.sitePage(number))} · <a href="/?page=${number + 1}">${safe(texts.siteNext)}</a></p>
</section>
<form method="post" action="/sign-out"><button class="quiet">${safe(texts.signOut)}</button></form>`,
    true,
  );
}

/** The service does not answer: nobody is signed out by that. */
export function unavailablePage(texts: Texts): string {
  return page(texts, texts.site, `${notice(texts.errors.network, "alert")}<p><a href="/">${safe(texts.retry)}</a></p>`, true);
}

export const style = `
:root { color-scheme: light dark; --page: #f6f6fb; --card: #fff; --text: #1b1a28; --muted: #5a586d; --line: #e2e1ec;
  --field: #86849a; --accent: #4a3bc8; --on: #fff; --soft: #eceafb; --danger: #b3261e; --soft-danger: #fceceb }
@media (prefers-color-scheme: dark) { :root { --page: #13121b; --card: #1e1d29; --text: #f2f1f8; --muted: #b4b2c5;
  --line: #353445; --field: #85839a; --accent: #b9b0ff; --on: #1c1450; --soft: #2b2846; --danger: #ffb4ab;
  --soft-danger: #45211f } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.45 system-ui, sans-serif }
main { max-width: 640px; margin: 0 auto; padding: 40px 20px }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 20px } h2 { font-size: 20px; margin: 0 }
section, form[action="/sign-in"] { background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 24px;
  display: grid; gap: 16px; margin-bottom: 16px }
p { margin: 0 } .muted { color: var(--muted) } a { color: var(--accent) }
label { display: grid; gap: 6px; font-weight: 600 }
input, button { font: inherit; min-height: 48px; border-radius: 12px; border: 1px solid var(--field); padding: 0 16px }
input { background: var(--card); color: var(--text); width: 100%; font-weight: 400 }
button { background: var(--accent); color: var(--on); border-color: var(--accent); font-weight: 600; cursor: pointer }
button.quiet { background: none; color: var(--text); border-color: var(--field) }
.notice { background: var(--soft); border-left: 4px solid var(--accent); border-radius: 12px; padding: 12px 14px; margin-bottom: 16px }
.notice.alert { background: var(--soft-danger); border-color: var(--danger) } form .notice.alert { margin: 0 }
:focus-visible { outline: 3px solid #7c6cf2; outline-offset: 2px }
`;

/** Asks now and then whether the session is still there, so that an open page does not stay open. */
export const script = `
setInterval(async () => {
  if (document.visibilityState !== "visible") return;
  const answer = await fetch("/session").catch(() => null);
  if (answer?.status === 401) location.assign("/");
}, 3000);
`;
