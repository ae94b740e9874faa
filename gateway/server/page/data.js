// What the page asks of the gateway, and by which right.
//
// The page's token comes in the address's fragment, which no browser sends, and the key from its reader. Both stay in
// this tab (sessionStorage), and go in headers to this origin alone.

const TOKEN = "llm-gateway-token";
const KEY = "llm-gateway-key";
const LONGEST_MS = 10_000;

/** The gateway has answered, and not with what was asked for. */
export class Refused extends Error {
  constructor(status, message, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Take the token out of the address, so that it stands in no history. */
export function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (!fragment.has("token")) return;
  sessionStorage.setItem(TOKEN, fragment.get("token"));
  history.replaceState(null, "", location.pathname + location.search);
}

export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;
export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const keepKey = (key) => sessionStorage.setItem(KEY, key);
export const forgetKey = () => sessionStorage.removeItem(KEY);

/** GET as JSON. */
export const get = (path) => ask(path, { method: "GET" }, LONGEST_MS);

/** POST JSON. `longestMs`: until then an answer is waited for. */
export function post(path, body, longestMs = LONGEST_MS) {
  const headers = { "content-type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) }, longestMs);
}

async function ask(path, options, longestMs) {
  const headers = { ...options.headers, ...rights() };
  const how = { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" };
  const answer = await fetch(path, { ...how, signal: AbortSignal.timeout(longestMs) });
  const text = await answer.text();
  const read = parsed(text);
  if (answer.ok && read !== undefined) return read;
  const error = read?.error;
  throw new Refused(answer.status, error?.message ?? `HTTP ${answer.status}`, error?.code ?? null);
}

function rights() {
  const token = sessionStorage.getItem(TOKEN);
  const key = sessionStorage.getItem(KEY);
  return { ...(token && { "x-gateway-token": token }), ...(key && { authorization: `Bearer ${key}` }) };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
