// Where an authorization code may be sent: exactly to an address that the client registered. Programs on the browser's
// own machine get a free port each time (RFC 8252 §7.3), so there, and only there, the port may differ.

/** Redirect addresses of one client, and characters of one. */
export const maxRedirectUris = 10;
export const maxRedirectUriLength = 1_024;

/** Schemes that a browser acts on itself, or that start a fetch of their own. */
const NEVER: ReadonlySet<string> = new Set(
  'about blob chrome data file filesystem ftp javascript jar mailto sms tel vbscript view-source ws wss'.split(' '),
);

const LOOPBACK = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::\d{1,5})?(?=[/?]|$)/;

/** Why a client may not register `text`, or `undefined` when it may. */
export function redirectUriProblem(text: unknown): string | undefined {
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) return 'must be visible ASCII characters';
  if (text.length > maxRedirectUriLength) return `must have at most ${maxRedirectUriLength} characters`;
  if (/[\\<>"#]/.test(text)) return 'must have no fragment, backslash, quote or angle bracket';
  const url = parsed(text);
  if (!url) return 'must be an absolute URI';
  if (url.username !== '' || url.password !== '') return 'must name no user';
  const scheme = url.protocol.slice(0, -1);
  if (scheme === 'https') return url.hostname === '' ? 'must have a host' : undefined;
  if (scheme === 'http')
    return LOOPBACK.test(text) ? undefined : 'may use http for 127.0.0.1, [::1] and localhost only';
  return NEVER.has(scheme) ? `may not use the scheme ${scheme}` : undefined;
}

/** Compared as text, so that no two parsers can disagree about it. */
export function redirectUriAllowed(registered: readonly string[], asked: unknown): boolean {
  if (typeof asked !== 'string') return false;
  if (registered.includes(asked)) return true;
  const anyPort = withoutLoopbackPort(asked);
  return anyPort !== undefined && registered.some((uri) => withoutLoopbackPort(uri) === anyPort);
}

export type RedirectTarget = {
  /** What a person can judge: a host, or the scheme that opens a program. */
  host: string;
  /** The code goes to a program on the machine where the browser runs: its name proves nothing. */
  local: boolean;
};

export function redirectTarget(uri: string): RedirectTarget {
  const url = parsed(uri);
  if (!url) return { host: 'unknown', local: true };
  if (url.protocol === 'https:') return { host: url.host, local: false };
  if (url.protocol === 'http:') return { host: url.host, local: true };
  return { host: url.host === '' ? url.protocol : `${url.protocol}//${url.host}`, local: true };
}

function withoutLoopbackPort(uri: string): string | undefined {
  const match = LOOPBACK.exec(uri);
  return match ? `http://${match[1]}${uri.slice(match[0].length)}` : undefined;
}

function parsed(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined; // Said by the caller in its own words.
  }
}
