import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxRemembered, redacted, Redactor } from '../../../src/traffic/redact.ts';

const redact = (text: string, secrets: string[] = []): string => new Redactor(() => secrets).text(text).text;
const token = `mcpt_${'a1B2'.repeat(12)}z`;

/** How a text may be written on its way. */
const shapes: Record<string, (text: string) => string> = {
  plain: (text) => text,
  json: (text) => JSON.stringify(text),
  jsonInJson: (text) => JSON.stringify({ text: JSON.stringify({ inner: text }) }),
  deeper: (text) => JSON.stringify([JSON.stringify([JSON.stringify([text])])]),
  everyCharacterEscaped: (text) => [...units(text)].map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join(''),
  upperCaseEscapes: (text) =>
    [...units(text)].map((unit) => `\\u${unit.toString(16).padStart(4, '0').toUpperCase()}`).join(''),
  someEscaped: (text) =>
    [...units(text)]
      .map((unit, at) => (at % 2 ? String.fromCharCode(unit) : `\\u${unit.toString(16).padStart(4, '0')}`))
      .join(''),
  escapedSlashes: (text) => JSON.stringify(text).replaceAll('/', '\\/'),
  percent: (text) => encodeURIComponent(text),
  everyBytePercent: (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  percentInJson: (text) => JSON.stringify({ url: `http://x/?q=${encodeURIComponent(text)}` }),
  base64: (text) => Buffer.from(text).toString('base64'),
  base64AfterOne: (text) => Buffer.from(`u${text}v`).toString('base64'),
  base64AfterTwo: (text) => Buffer.from(`uu${text}vv`).toString('base64url'),
};

function units(text: string): number[] {
  return Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
}

/** Everything that a reader could make of a text, in the ways above. */
function readings(text: string): string[] {
  const unescape = (from: string): string =>
    from.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, hex: string | undefined, short: string) =>
      hex === undefined
        ? ({ n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }[short] ?? short)
        : String.fromCharCode(parseInt(hex, 16)),
    );
  const percent = (from: string): string =>
    from.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString());
  const base64 = (from: string): string =>
    from.replaceAll(/[\w+/-]{8,}/g, (run) => Buffer.from(run, 'base64').toString('latin1'));
  const once = unescape(text);
  const twice = unescape(once);
  return [text, once, twice, unescape(twice), percent(text), percent(once), base64(text)];
}

describe('Redactor.text', () => {
  // Long enough to be no accident, and with a start that the surrounding noise cannot have.
  const secret = fc
    .string({ minLength: 8, maxLength: 40, unit: 'grapheme-ascii' })
    .map((text) => `§${text}`.replaceAll('\\', '/'));

  it.each(Object.keys(shapes))('leaves no known secret in a text that holds it in the shape %s', (shape) => {
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (secret, before, after) => {
        const text = redact(`${before}${shapes[shape]!(secret)} ${after}`, [secret]);
        expect(text).toContain(redacted);
        for (const reading of readings(text)) expect(reading).not.toContain(secret);
      }),
      { numRuns: 200 },
    );
  });

  it('finds each of several secrets, overlapping ones too', () => {
    const text = redact('x abcdefgh y defghijk z abcdefghijk', ['abcdefgh', 'defghijk', 'abcdefghijk']);
    expect(text).toBe(`x ${redacted} y ${redacted} z ${redacted}`);
  });

  it('finds a secret that has a backslash in it', () => {
    const secret = 'C:\\keys\\new';
    expect(redact(JSON.stringify({ path: secret }), [secret])).toBe(`{"path":"${redacted}"}`);
    expect(redact(secret, [secret])).toBe(redacted);
  });

  it('takes the list as it is at the moment', () => {
    const secrets = ['first-secret'];
    const redactor = new Redactor(() => secrets);
    expect(redactor.text('first-secret second-secret').text).toBe(`${redacted} second-secret`);
    secrets.push('second-secret');
    expect(redactor.text('first-secret second-secret').text).toBe(`${redacted} ${redacted}`);
  });

  it('passes over a secret of three characters, which would blacken half of everything', () => {
    expect(redact('the other', ['the'])).toBe('the other');
  });

  it.each([
    [`here: ${token}.`, `here: ${redacted}.`],
    ['mcpe_0123456789abcdef', redacted],
    [`{"a":"${shapes['everyCharacterEscaped']!(token)}"}`, `{"a":"${redacted}"}`],
    ['Authorization: Bearer abc.def-ghi', `Authorization: Bearer ${redacted}`],
    ['{"h":"bearer abcdefgh12345678=="}', `{"h":"bearer ${redacted}"}`],
    ['{"password":"hunter2"}', `{"password":"${redacted}"}`],
    ['{"password" : "a\\"b"}', `{"password" : "${redacted}"}`],
    ['{"githubToken":"x"}', `{"githubToken":"${redacted}"}`],
    ['{"API_KEY":"x","api-key":"y"}', `{"API_KEY":"${redacted}","api-key":"${redacted}"}`],
    ['{"client_secret":"x"', `{"client_secret":"${redacted}"`],
    ['{"password":"cut of', `{"password":"${redacted}`],
    [JSON.stringify({ text: '{"password":"hunter2"}' }), `{"text":"{\\"password\\":\\"${redacted}\\"}"}`],
  ])('%s becomes %s', (text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"progressToken":"p1"}}}',
    '{"maxTokens":100,"tokens":["a"],"token":5,"secretary":"x"}',
    '{"properties":{"password":{"type":"string"}},"required":["password"]}',
    'a bearer of news; \\ 100% %zz \\u12 "',
    '',
  ])('leaves %s as it is', (text) => {
    expect(new Redactor(() => ['some-secret']).text(text)).toEqual({ text, changed: false });
  });

  it('never throws, and changes nothing where there is nothing to hide', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.stringMatching(/^[\\"u0%a-]*$/)), (text) => {
        const result = new Redactor(() => ['no such secret anywhere']).text(text);
        expect(result.changed || result.text === text).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['backslashes', '\\'],
    ['quotes', '"'],
    ['escapes', '\\u0041'],
    ['percents', '%41'],
    ['keys', '"password":"'],
    ['half tokens', 'mcpt_'],
    ['bearers', 'bearer '],
    ['nearly keys', `"${'a'.repeat(60)}`],
    ['spaces', '"token" '],
  ])('reads a megabyte of %s in a time that grows with its length alone', (_, piece) => {
    // A pattern that tries all ways would not come back within the test's time.
    expect(redact(piece.repeat(1_000_000 / piece.length), ['no such secret']).length).toBeGreaterThan(0);
  });
});

describe('Redactor.capture', () => {
  const capture = (message: Buffer | string, max: number, secrets: string[] = []) =>
    new Redactor(() => secrets).capture(message, max);

  it('keeps a short message whole', () => {
    expect(capture('héllo', 10)).toEqual({ text: 'héllo', changed: false, cut: false, bytes: 6 });
  });

  it('cuts between characters, never inside one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), fc.boolean(), (text, max, asBytes) => {
        const whole = Buffer.from(text);
        const result = capture(asBytes ? whole : text, max);
        expect(whole.toString().startsWith(result.text)).toBe(true);
        expect(Buffer.byteLength(result.text)).toBeLessThanOrEqual(max);
        expect(Buffer.byteLength(result.text)).toBeGreaterThan(Math.min(whole.length, max) - 4);
        expect(result).toMatchObject({ bytes: whole.length, cut: whole.length > max });
      }),
    );
  });

  it('takes bytes that are no text', () => {
    expect(capture(Buffer.from([0xff, 0xfe, 0x80, 0x80, 0x80, 0x80, 0x80]), 5).bytes).toBe(7);
  });

  it('finds a secret that lies across the cut, wherever it is', () => {
    const secret = 'a-secret-of-some-length';
    for (const shape of ['plain', 'everyCharacterEscaped', 'everyBytePercent']) {
      const body = `${'x'.repeat(100)}${shapes[shape]!(secret)}${'y'.repeat(10_000)}`;
      for (let max = 95; max < 300; max += 1) {
        const { text } = capture(body, max, [secret]);
        expect(text).not.toMatch(/x(?:a|\\u0061|%61)/);
      }
    }
  });

  it('shows nothing from beyond the cut when secrets before it shrink the text', () => {
    const secret = 's'.repeat(64);
    const { text } = capture(`${secret.repeat(1)}|`.repeat(20) + 'BEYOND'.repeat(1_000), 1_300, [secret]);
    expect(text).toBe(`${redacted}|`.repeat(20));
  });
});

describe('Redactor.headers', () => {
  const headers = (name: string, value: string): string =>
    new Redactor(() => ['known-secret']).headers([[name, value]])[0]![1];

  it.each([
    'Authorization',
    'authorization',
    'Proxy-Authorization',
    'Cookie',
    'Set-Cookie',
    'X-Api-Key',
    'api-key',
    'x-goog-api-key',
    'X-Auth-Token',
    'Private-Token',
    'CF-Access-Client-Secret',
    'X-Hub-Signature',
    'X-Password',
    'X-Auth',
  ])('hides the value of %s', (name) => {
    expect(headers(name, 'value')).toBe(redacted);
  });

  it.each(['WWW-Authenticate', 'Accept', 'MCP-Protocol-Version', 'Mcp-Method', 'Content-Type', 'Keep-Alive'])(
    'shows the value of %s',
    (name) => {
      expect(headers(name, 'value')).toBe('value');
    },
  );

  it('shortens a session id, and finds known secrets and tokens anywhere', () => {
    expect(headers('Mcp-Session-Id', '0123456789abcdef')).toBe('01234567…');
    expect(headers('X-Custom', 'is known-secret here')).toBe(`is ${redacted} here`);
    expect(headers('Referer', `https://x/?t=${token}`)).toBe(`https://x/?t=${redacted}`);
  });
});

it('finds a secret that became known after a text with it was looked through', () => {
  const secrets: string[] = ['first-secret'];
  const redactor = new Redactor(() => secrets);
  expect(redactor.text('later-secret').changed).toBe(false);
  expect(redactor.headers([['x-note', 'later-secret']])).toEqual([['x-note', 'later-secret']]);
  secrets[0] = 'later-secret';
  expect(redactor.text('later-secret').text).toBe(redacted);
  expect(redactor.headers([['x-note', 'later-secret']])).toEqual([['x-note', redacted]]);
  expect(redactor.capture('{"a":"later-secret"}', 512).text).toBe(`{"a":"${redacted}"}`);
});

it('remembers harmless texts up to a number, and goes on beyond it', () => {
  const redactor = new Redactor(() => ['a-secret-of-mine']);
  for (let index = 0; index < 3 * maxRemembered; index += 1) redactor.text(`text ${index}`);
  expect(redactor.text('text 5 and a-secret-of-mine').text).toBe(`text 5 and ${redacted}`);
});
