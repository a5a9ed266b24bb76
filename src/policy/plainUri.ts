// One resource can be named in many ways (`FILE:`, `%65tc`, `a/../b`), and a pattern sees only one of them. Where rules
// name particular resources, a URI must therefore be in its plain form, the one every reader takes for the same thing.

export function isPlainUri(uri: string): boolean {
  // oxlint-disable-next-line no-control-regex
  if (/[\x00-\x20\x7f\\]/.test(uri)) return false;
  const scheme = /^[^:/?#]*:/.exec(uri)?.[0] ?? '';
  if (scheme !== scheme.toLowerCase()) return false;
  // Unreserved characters need no encoding (RFC 3986 §6.2.2.2), and neither do the signs that shape a path.
  if (/%(?:4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9ae]|3[0-9]|2[def]|5[cf]|25)/i.test(uri)) return false;
  return !/(?:^|[/:])\.{1,2}(?:[/?#;]|$)/.test(uri);
}
