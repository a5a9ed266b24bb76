// One resource can be named in many ways (`FILE:`, `%65tc`, `a/../b`), and a pattern sees only one of them. Where rules
// name particular resources, a URI must therefore be in its plain form, the one every reader takes for the same thing.

export function isPlainUri(uri: string): boolean {
  // oxlint-disable-next-line no-control-regex
  if (/[\x00-\x20\x7f\\]/.test(uri)) return false;
  const scheme = /^[^:/?#]*:/.exec(uri)?.[0] ?? '';
  if (scheme !== scheme.toLowerCase()) return false;
  // Unreserved characters need no encoding (RFC 3986 §6.2.2.2), and neither do the signs that shape a path.
  if (/%(?:4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9ae]|3[0-9]|2[def]|5[cf]|25)/i.test(uri)) return false;
  if (/[?#]$/.test(uri) || /(?:^|[/:])\.{1,2}(?:[/?#;]|$)/.test(uri)) return false;
  const parts = /^[^:/?#]*:\/\/([^/?#]*)([^?#]*)/.exec(uri);
  if (!parts) return !(scheme in DEFAULT_PORT); // `file:/x` and `https:host` are other words for what has `//`.
  const [, authority = '', path = ''] = parts;
  return isPlainAuthority(scheme, authority) && isPlainPath(scheme, path);
}

/** Schemes of which every reader knows more than one way to write the same (WHATWG URL, "special schemes"). */
const DEFAULT_PORT: Readonly<Record<string, string>> = {
  'file:': '',
  'ftp:': ':21',
  'http:': ':80',
  'https:': ':443',
  'ws:': ':80',
  'wss:': ':443',
};

function isPlainAuthority(scheme: string, authority: string): boolean {
  if (scheme === 'file:') return authority === ''; // `localhost` is this machine, too.
  if (authority !== authority.toLowerCase() || authority.includes('@') || /[:.]$/.test(authority)) return false;
  const port = DEFAULT_PORT[scheme];
  return port === undefined || (authority !== '' && !authority.endsWith(port));
}

function isPlainPath(scheme: string, path: string): boolean {
  return !path.includes('//') && (path !== '' || !(scheme in DEFAULT_PORT));
}
