// What a message wants, in the words of the rules: nothing that needs one, the use of a tool, prompt or resource, a
// list, or something else. Read from the body alone, byte for byte; what cannot be read is refused by whoever asks.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import type { RpcMessage } from '../mcp/message.ts';

/** The kinds of things that rules name. */
export type Named = 'tool' | 'prompt' | 'resource';

export type Subject =
  /** Part of every conversation: nothing of the server's is reached. */
  | { kind: 'free' }
  /** `args` of a tool's call; absent where nothing is called. */
  | { kind: 'use'; method: string; of: Named; names: readonly string[]; args?: JsonValue }
  | { kind: 'list'; method: string; of: Named }
  /** A method that looks as if it belonged to tools, prompts or resources, but is none that we know. */
  | { kind: 'unknown-use'; method: string; of: readonly Named[] }
  | { kind: 'other'; method: string }
  | { kind: 'unreadable'; method: string; problem: string };

/** Characters of a method or a name that rules are asked about: comparing costs time for each pattern, and a body holds millions. */
export const maxNameLength = 8_192;

const FREE: ReadonlySet<string> = new Set(['initialize', 'ping', 'server/discover']);

/** Compared after folding case, width and invisible characters: a lenient server may do the same. */
const FAMILIES: readonly [RegExp, readonly Named[]][] = [
  [/^\W*tools?(?:\W|_|$)/, ['tool']],
  [/^\W*prompts?(?:\W|_|$)/, ['prompt']],
  [/^\W*resources?(?:\W|_|$)/, ['resource']],
  [/^\W*completions?(?:\W|_|$)/, ['prompt', 'resource']],
  [/^\W*subscriptions?(?:\W|_|$)/, ['resource']],
];

export function subjectOf(message: RpcMessage): Subject {
  if (message.kind === 'result' || message.kind === 'error') return { kind: 'free' };
  const { method, params } = message;
  if (method.length > maxNameLength) return { kind: 'unreadable', method, problem: tooLong };
  if (message.kind === 'notification' && method.startsWith('notifications/')) return { kind: 'free' };
  if (FREE.has(method)) return { kind: 'free' };
  const field = (name: string): JsonValue | undefined => (isJsonObject(params) ? params[name] : undefined);
  switch (method) {
    case 'tools/call':
      return withArguments(use(method, 'tool', field('name'), 'params.name'), field('arguments'));
    case 'prompts/get':
      return use(method, 'prompt', field('name'), 'params.name');
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      // The modern era has neither method, and its servers say so whatever the parameters are.
      if (field('uri') === undefined) return { kind: 'unknown-use', method, of: ['resource'] };
      return use(method, 'resource', field('uri'), 'params.uri');
    case 'resources/read':
      return use(method, 'resource', field('uri'), 'params.uri');
    case 'completion/complete':
      return completion(method, field('ref'));
    case 'subscriptions/listen':
      return subscription(method, field('notifications'));
    case 'tools/list':
      return { kind: 'list', method, of: 'tool' };
    case 'prompts/list':
      return { kind: 'list', method, of: 'prompt' };
    case 'resources/list':
    case 'resources/templates/list':
      return { kind: 'list', method, of: 'resource' };
    default:
      return unknown(method);
  }
}

const tooLong = `a name is longer than ${maxNameLength} characters`;

function use(method: string, of: Named, name: JsonValue | undefined, field: string): Subject {
  if (typeof name !== 'string') return { kind: 'unreadable', method, problem: `${field} is not a text` };
  if (name.length > maxNameLength) return { kind: 'unreadable', method, problem: tooLong };
  return { kind: 'use', method, of, names: [name] };
}

/** Absent arguments are none (MCP specification, "Calling Tools"). */
function withArguments(subject: Subject, args: JsonValue = {}): Subject {
  if (subject.kind === 'use') subject.args = args;
  return subject;
}

function completion(method: string, ref: JsonValue | undefined): Subject {
  const type = isJsonObject(ref) ? ref['type'] : undefined;
  if (isJsonObject(ref) && type === 'ref/prompt') return use(method, 'prompt', ref['name'], 'params.ref.name');
  if (isJsonObject(ref) && type === 'ref/resource') return use(method, 'resource', ref['uri'], 'params.ref.uri');
  return { kind: 'unreadable', method, problem: 'params.ref names neither a prompt nor a resource' };
}

/** Free, except for the resources that are subscribed to with it (2026-07-28). */
function subscription(method: string, notifications: JsonValue | undefined): Subject {
  if (notifications === undefined) return { kind: 'free' };
  const problem = 'params.notifications cannot be read';
  if (!isJsonObject(notifications)) return { kind: 'unreadable', method, problem };
  const uris = notifications['resourceSubscriptions'] ?? [];
  if (!Array.isArray(uris)) return { kind: 'unreadable', method, problem };
  const names = uris.filter((uri): uri is string => typeof uri === 'string');
  if (names.length < uris.length) return { kind: 'unreadable', method, problem };
  if (names.some((name) => name.length > maxNameLength)) return { kind: 'unreadable', method, problem: tooLong };
  return names.length === 0 ? { kind: 'free' } : { kind: 'use', method, of: 'resource', names };
}

function unknown(method: string): Subject {
  const folded = method
    .normalize('NFKC')
    .replaceAll(/[\s\p{Cf}\p{Cc}]/gu, '')
    .toLowerCase();
  const family = FAMILIES.find(([shape]) => shape.test(folded));
  return family ? { kind: 'unknown-use', method, of: family[1] } : { kind: 'other', method };
}
