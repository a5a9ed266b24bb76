// Which rows a filter lets through. Names and texts were written by strangers: nothing here takes longer than their
// length allows. What is searched in bodies is apart (`body`), since bodies may have to be fetched first.
import { exchangeFlags, type ExchangeRow } from '../exchange.ts';
import {
  isOneOf,
  type ChoiceKey,
  type Filter,
  type NameKey,
  type Pattern,
  type Range,
  type RangeKey,
  type Term,
} from './filter.ts';

export type RowFilter = {
  /** All that can be told from the row alone. */
  row: (row: ExchangeRow) => boolean;
  /** The rest, where there is any: given every text that was captured of the exchange. */
  body?: (texts: readonly string[]) => boolean;
};

/** `serverName`: of the server behind a tunnel, by the tunnel's id; where it is not known any more, nothing. */
export function rowFilter({ terms }: Filter, serverName: (tunnel: string) => string | undefined): RowFilter {
  const rows = terms.flatMap((term) => (term.kind === 'text' ? [] : [rowTest(term, serverName)]));
  const bodies = terms.flatMap((term) => (term.kind === 'text' ? [bodyTest(term)] : []));
  const row = (one: ExchangeRow): boolean => rows.every((test) => test(one));
  return bodies.length === 0 ? { row } : { row, body: (texts) => bodies.every((test) => test(texts)) };
}

type RowTest = (row: ExchangeRow) => boolean;

function rowTest(term: Exclude<Term, { kind: 'text' }>, serverName: (tunnel: string) => string | undefined): RowTest {
  const test = plainTest(term, serverName);
  return term.negated ? (row) => !test(row) : test;
}

function plainTest(term: Exclude<Term, { kind: 'text' }>, serverName: (tunnel: string) => string | undefined): RowTest {
  switch (term.kind) {
    case 'word': {
      const word = term.text.toLowerCase();
      return (row) => hasWord(row, word);
    }
    case 'name': {
      const tests = term.patterns.map((pattern) => nameTest(term.key, pattern));
      return (row) => {
        const name = nameOf(row, term.key, serverName)?.toLowerCase();
        return name !== undefined && tests.some((test) => test(name));
      };
    }
    case 'choice':
      return (row) => term.values.some((value) => hasChoice(row, term.key, value));
    case 'range':
      return (row) => {
        const value = numberOf(row, term.key);
        return value !== undefined && term.ranges.some((range) => isWithin(value, range));
      };
  }
}

function bodyTest({ texts, negated }: Extract<Term, { kind: 'text' }>): (texts: readonly string[]) => boolean {
  const wanted = new RegExp(texts.map((text) => text.replace(/[$()*+.?[\\\]^{|}/-]/g, '\\$&')).join('|'), 'i');
  return (captured) => captured.some((text) => wanted.test(text)) !== negated;
}

function hasWord({ agent, method, name, status, httpStatus, reason }: ExchangeRow, word: string): boolean {
  return (
    contains(agent, word) ||
    contains(method, word) ||
    (name !== undefined && contains(name, word)) ||
    status.includes(word) ||
    (httpStatus !== undefined && String(httpStatus).includes(word)) ||
    (reason !== undefined && contains(reason, word))
  );
}

function contains(text: string, word: string): boolean {
  return text.toLowerCase().includes(word);
}

/** What a key speaks of, where the row has it. */
export function nameOf(
  row: ExchangeRow,
  key: NameKey,
  serverName: (tunnel: string) => string | undefined,
): string | undefined {
  switch (key) {
    case 'tool':
      return row.method === 'tools/call' ? row.name : undefined;
    case 'prompt':
      return row.method === 'prompts/get' ? row.name : undefined;
    case 'resource':
      return /^(?:notifications\/)?resources\//.test(row.method) ? row.name : undefined;
    case 'method':
      return row.method;
    case 'agent':
      return row.agent;
    case 'session':
      return row.session;
    case 'server':
      return serverName(row.tunnel);
    case 'tunnel':
      return row.tunnel;
  }
}

/** Names people do not know to the letter: a part of one is enough. */
const loose: readonly NameKey[] = ['agent', 'session', 'server'];

function nameTest(key: NameKey, { text, exact }: Pattern): (name: string) => boolean {
  const wanted = text.toLowerCase();
  if (!exact && wanted.includes('*')) {
    const parts = wanted.split('*');
    return (name) => isGlob(name, parts);
  }
  if (!exact && loose.includes(key)) return (name) => name.includes(wanted);
  return (name) => name === wanted;
}

/** `parts` are what stands between the `*`, two at least. */
function isGlob(name: string, parts: readonly string[]): boolean {
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}

function hasChoice(row: ExchangeRow, key: ChoiceKey, value: string): boolean {
  if (key !== 'is') return row[key] === value;
  if (value === 'stranger') return row.stranger === true;
  if (value === 'event') return row.kind === 'event';
  return isOneOf(exchangeFlags, value) ? row.flags.includes(value) : row.status === value;
}

function numberOf(row: ExchangeRow, key: RangeKey): number | undefined {
  switch (key) {
    case 'latency':
      return row.latencyMs;
    case 'size':
      return row.requestBytes + row.responseBytes;
    case 'code':
      return row.rpcCode;
    case 'http':
      return row.httpStatus;
  }
}

function isWithin(value: number, range: Range): boolean {
  switch (range.kind) {
    case 'than':
      if (range.sign === '>') return value > range.value;
      if (range.sign === '<') return value < range.value;
      return range.sign === '>=' ? value >= range.value : value <= range.value;
    case 'between':
      return value >= range.from && value <= range.to;
    case 'is':
      return value === range.value;
  }
}
