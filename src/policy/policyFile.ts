// A policy file becomes a Policy once, here, or a POLICY_INVALID that names file, line and path. JSON with comments and
// trailing commas; whatever could be read in two ways (a key that stands twice) is refused.
import { findNodeAtLocation, parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser';
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { policyFileSchema, type Policy } from './policySchema.ts';

/** A larger file is refused. */
export const maxPolicyBytes = 1_048_576;

/** Deeper nesting is refused before a recursive reader meets it; the schema needs five. */
export const maxDepth = 32;

type Path = readonly PropertyKey[];

/** Throws `POLICY_INVALID` with `data: { file, path, line }`, and nothing else. */
export function parsePolicy(text: string, file: string): Policy {
  const source = text.replace(/^\uFEFF/, '');
  if (source.length > maxPolicyBytes) throw invalid(file, [], 1, `is larger than ${maxPolicyBytes} bytes`);
  if (isTooDeep(source)) throw invalid(file, [], 1, `is nested deeper than ${maxDepth} levels`);
  const root = readTree(source, file);
  const value = toValue(root, [], (path, node, problem) => invalid(file, path, lineOf(source, node.offset), problem));
  const result = policyFileSchema.safeParse(value);
  if (result.success) return result.data;
  const { path, problem } = firstIssue(result.error);
  throw invalid(file, path, lineOf(source, nearest(root, path).offset), problem);
}

/** `destinations[2].host`, `agents["*"].ask`. */
export function formatPath(path: Path): string {
  return z.core.toDotPath([...path]);
}

function readTree(source: string, file: string): Node {
  const errors: ParseError[] = [];
  const root = parseTree(source, errors, { allowTrailingComma: true, disallowComments: false });
  const [error] = errors;
  if (error)
    throw invalid(file, [], lineOf(source, error.offset), `is not JSON (${words(printParseErrorCode(error.error))})`);
  if (!root) throw invalid(file, [], 1, 'is empty');
  return root;
}

type Refuse = (path: Path, node: Node, problem: string) => TunnelError;

function toValue(node: Node, path: Path, refuse: Refuse): JsonValue {
  if (node.type === 'array') {
    return (node.children ?? []).map((child, index) => toValue(child, [...path, index], refuse));
  }
  if (node.type !== 'object') return node.value as JsonValue;
  const object: JsonObject = {};
  for (const property of node.children ?? []) {
    const [keyNode, valueNode] = property.children ?? [];
    const key = String(keyNode?.value);
    const here = [...path, key];
    if (!valueNode) throw refuse(here, property, 'has no value');
    if (key === '__proto__') throw refuse(here, property, 'is no name that can be used');
    if (Object.hasOwn(object, key)) throw refuse(here, property, 'stands twice');
    object[key] = toValue(valueNode, here, refuse);
  }
  return object;
}

/** `PropertyNameExpected` → `property name expected`. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter, at: number) => `${at === 0 ? '' : ' '}${letter.toLowerCase()}`);
}

function firstIssue(error: z.ZodError): { path: Path; problem: string } {
  const [issue] = error.issues;
  if (issue?.code === 'unrecognized_keys') {
    return { path: [...issue.path, issue.keys[0] ?? ''], problem: 'is not a key that a policy has' };
  }
  if (issue?.code === 'invalid_key') return { path: issue.path, problem: issue.issues[0]?.message ?? issue.message };
  const problem = issue?.message.replace(/^Invalid (?:input|option): /, 'is not right: ') ?? 'cannot be read';
  return { path: issue?.path ?? [], problem };
}

/** The node at `path`, or the innermost one around where it should be. */
function nearest(root: Node, path: Path): Node {
  for (let length = path.length; length > 0; length -= 1) {
    const node = findNodeAtLocation(root, path.slice(0, length) as (string | number)[]);
    if (node) return node.parent?.type === 'property' ? node.parent : node;
  }
  return root;
}

/** Counts brackets outside strings and comments: exact enough for a bound. */
function isTooDeep(source: string): boolean {
  let depth = 0;
  for (const [token] of source.matchAll(/"(?:[^"\\\n]|\\.)*|\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)|[[\]{}]/g)) {
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    if (depth > maxDepth) return true;
  }
  return false;
}

function lineOf(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length;
}

function invalid(file: string, path: Path, line: number, problem: string): TunnelError {
  const place = formatPath(path);
  const subject = place === '' ? 'the policy' : place;
  const message = `${file}, line ${line}: ${subject} ${problem}`;
  return new TunnelError('POLICY_INVALID', message, { data: { file, path: place, line } });
}
