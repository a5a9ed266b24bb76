// What a person sees of a server before it is exposed: what it offers, how much of a conversation that takes, which
// clients refuse which part, and what looks like poisoning. Made from what the server said, anew for everyone who looks.
import type { JsonObject } from '../../core/json.ts';
import type { Era } from '../message.ts';
import { annotationFindings, hintsOf, type ToolHints } from './annotations.ts';
import { claudeCodeTextLength, listFindings, toolFindings } from './clientRules.ts';
import { toolDrift, type ToolDrift } from './drift.ts';
import { maxFindings, maxFindingsOfMany, quoted, type Finding } from './finding.ts';
import { itemsOf, listKinds, type ListCut, type Listed, type Listing, type Offer } from './offer.ts';
import { OtherTools, poisoningFindings, textFindings, type OtherServer } from './poisoning.ts';
import { toolTokens } from './tokenEstimate.ts';

/** Of more items than these in a list, each keeps fewer findings: all of it is one message. */
const manyItems = 100;
/** Characters of a place and of a word. */
const maxPlace = 120;

export type PreviewItem = { name: string; definition: JsonObject; findings: Finding[] };

export type PreviewTool = PreviewItem & { tokens: number; hints: ToolHints };

export type PreviewList<Item> =
  | { kind: 'listed'; items: Item[]; cut?: ListCut }
  /** The server does not offer any. */
  | { kind: 'absent' }
  | { kind: 'failed'; reason: string };

export type ServerPreview = {
  /** When the server was asked. */
  takenMs: number;
  era: Era;
  revision: string;
  /** What it calls itself. */
  server?: { name: string; version: string };
  instructions?: string;
  tools: PreviewList<PreviewTool>;
  prompts: PreviewList<PreviewItem>;
  resources: PreviewList<PreviewItem>;
  templates: PreviewList<PreviewItem>;
  /** Of the tool list, about. */
  tokens: number;
  /** About the server and its lists as a whole. */
  findings: Finding[];
  /** What is different from the tools that it had at `sinceMs`. */
  drift?: ToolDrift & { sinceMs: number };
};

export type PreviewFacts = {
  /** The name under which it is known here. */
  name: string;
  takenMs: number;
  offer: Offer;
  /** Tools that it had before, where they were others. */
  earlier?: { takenMs: number; tools: readonly Listed[] };
  others: readonly OtherServer[];
};

export function previewOf({ name, takenMs, offer, earlier, others }: PreviewFacts): ServerPreview {
  const own = itemsOf(offer.tools);
  const ownNames = new Set(own.map((tool) => tool.name));
  const otherTools = new OtherTools(others);
  const most =
    manyItems < Math.max(...listKinds.map((kind) => itemsOf(offer[kind]).length)) ? maxFindingsOfMany : maxFindings;
  const tools = previewList(offer.tools, (tool): PreviewTool => ({
    ...previewItem(
      tool,
      [...otherTools.findings(tool, ownNames), ...toolFindings(tool, name), ...annotationFindings(tool)],
      most,
    ),
    tokens: toolTokens(tool),
    hints: hintsOf(tool),
  }));
  const tokens = tools.kind === 'listed' ? tools.items.reduce((sum, tool) => sum + tool.tokens, 0) : 0;
  const drift = earlier && toolDrift(earlier.tools, own);
  const { era, revision, server, instructions } = offer;
  return {
    takenMs,
    era,
    revision,
    ...(server ? { server } : {}),
    ...(instructions === undefined ? {} : { instructions }),
    tools,
    prompts: previewList(offer.prompts, (item) => previewItem(item, [], most)),
    resources: previewList(offer.resources, (item) => previewItem(item, [], most)),
    templates: previewList(offer.templates, (item) => previewItem(item, [], most)),
    tokens,
    findings: [...listFindings(own.length, tokens), ...instructionFindings(instructions)]
      .slice(0, maxFindings)
      .map(bounded),
    ...(earlier && drift ? { drift: { sinceMs: earlier.takenMs, ...drift } } : {}),
  };
}

function previewList<Item>(listing: Listing, make: (listed: Listed) => Item): PreviewList<Item> {
  return listing.kind === 'listed' ? { ...listing, items: listing.items.map(make) } : listing;
}

/** Poisoning first: of what is too much to be shown, the clients' troubles go. */
function previewItem(item: Listed, others: Finding[], most: number): PreviewItem {
  const { name, definition } = item;
  return { name, definition, findings: [...poisoningFindings(item), ...others].slice(0, most).map(bounded) };
}

/** Places and words hold what a stranger wrote, however long. */
function bounded({ rule, where, words }: Finding): Finding {
  return {
    rule,
    where: quoted(where, maxPlace),
    ...(words ? { words: words.map((word) => quoted(word, maxPlace)) } : {}),
  };
}

function instructionFindings(instructions: string | undefined): Finding[] {
  if (instructions === undefined) return [];
  const findings = textFindings(instructions, 'instructions');
  if (instructions.length > claudeCodeTextLength) {
    findings.push({ rule: 'instructions-cut', where: 'instructions', words: [String(instructions.length)] });
  }
  return findings;
}
