// What a server offers, as it listed it to its owner: kept in its own words, and judged elsewhere (`preview.ts`).
import type { JsonObject } from '../../core/json.ts';
import type { Era } from '../message.ts';

/** One tool, prompt, resource or template. */
export type Listed = {
  /** Of a resource without one: its URI. */
  name: string;
  definition: JsonObject;
  /** Nested deeper than {@link maxDefinitionDepth}: only its top is kept. */
  tooDeep?: true;
};

/** Why a list ends before the server's does. */
export type ListCut = 'pages' | 'items' | 'same-cursor';

export type Listing =
  | { kind: 'listed'; items: Listed[]; cut?: ListCut }
  /** The server says that it has none, or does not know the method. */
  | { kind: 'absent' }
  | { kind: 'failed'; reason: string };

export const listKinds = ['tools', 'prompts', 'resources', 'templates'] as const;

export type ListKind = (typeof listKinds)[number];

export type Offer = Record<ListKind, Listing> & {
  era: Era;
  revision: string;
  server?: { name: string; version: string };
  instructions?: string;
};

/** Levels of a definition that are kept; deeper ones are of no use to any client, and of harm to what walks through them. */
export const maxDefinitionDepth = 64;

/** `undefined` for what has no name. */
export function listed(definition: JsonObject): Listed | undefined {
  const { name, uri, uriTemplate, title, description } = definition;
  const called = [name, uri, uriTemplate].find((value) => typeof value === 'string' && value !== '');
  if (typeof called !== 'string') return undefined;
  if (!isDeeperThan(definition, maxDefinitionDepth)) return { name: called, definition };
  const words = Object.entries({ name, uri, uriTemplate, title, description });
  const top = Object.fromEntries(words.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  return { name: called, definition: top, tooDeep: true };
}

/** Without recursion: what is asked about may be as deep as a parser takes. */
function isDeeperThan(value: object, levels: number): boolean {
  let level: object[] = [value];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > levels) return true;
    const below: object[] = [];
    for (const holder of level) {
      for (const held of Object.values(holder) as unknown[]) if (typeof held === 'object' && held) below.push(held);
    }
    level = below;
  }
  return false;
}

export function itemsOf(listing: Listing): Listed[] {
  return listing.kind === 'listed' ? listing.items : [];
}
