// `mcp-tunnel preview`: what a server offers, before anybody else can reach it. All of it is a stranger's words; the
// output makes them safe for a terminal, and hidden characters are shown as their codes by the marks.
import { roughDuration } from '../core/duration.ts';
import { findingSentence, levelOf, type Finding, type FindingLevel } from '../mcp/preview/finding.ts';
import { listKinds } from '../mcp/preview/offer.ts';
import type { PreviewItem, PreviewList, PreviewTool, ServerPreview } from '../mcp/preview/preview.ts';
import type { CommandContext } from './command.ts';
import { namedServer } from './namedServer.ts';
import type { Span, Style } from './output.ts';
import { startOwnHelper } from './ownHelper.ts';

export type PreviewOptions = { url?: string; refresh?: boolean; policy?: string };

/** Characters of a description in the table. */
const descriptionLength = 60;

export async function preview(
  context: CommandContext,
  name: string | undefined,
  { url, refresh = false, policy }: PreviewOptions,
): Promise<void> {
  const { output, signal } = context;
  const prepare: Parameters<typeof startOwnHelper>[1] = (peer) => {
    peer.on('log', ({ message }) => output.log({ text: message, style: 'dim' }));
  };
  const helper = await startOwnHelper(context, prepare, policy === undefined ? {} : { policy });
  try {
    const wanted = await namedServer(context, helper.peer, name, url === undefined ? {} : { url });
    const { preview: taken } = await helper.peer.request('servers/preview', { ...wanted, refresh }, signal);
    output.event({ event: 'preview', ...withSentences(taken) });
    if (!output.json) show(context, taken);
  } finally {
    await helper.stop();
  }
}

function show({ output, clock }: CommandContext, taken: ServerPreview): void {
  const { server, revision, takenMs, tools, tokens, instructions } = taken;
  const called = server ? `${server.name} ${server.version}`.trim() : 'a server without a name';
  output.line({ text: called, style: 'bold' }, `, MCP ${revision}, ${asked(clock.now() - takenMs)}`);
  output.line();
  if (tools.kind === 'listed' && tools.items.length > 0) {
    output.line(`Tools: ${tools.items.length}, about ${tokens.toLocaleString('en')} tokens${cutOff(tools)}`);
    output.table(
      ['TOOL', 'TOKENS', 'SAYS IT IS', 'DESCRIPTION'],
      tools.items.map((tool) => [tool.name, String(tool.tokens), hints(tool), short(tool.definition['description'])]),
    );
  } else output.line(listed('Tools', tools));
  for (const kind of ['prompts', 'resources', 'templates'] as const) output.line(listed(titles[kind], taken[kind]));
  if (instructions !== undefined) output.line(`Instructions to the model: ${short(instructions, 200)}`);
  showDrift(output, taken, clock.now());
  showFindings(output, taken);
}

const titles = { tools: 'Tools', prompts: 'Prompts', resources: 'Resources', templates: 'Resource templates' };

function asked(ageMs: number): string {
  return ageMs < 5_000 ? 'asked just now' : `asked ${roughDuration(ageMs)} ago (--refresh asks again)`;
}

function listed(title: string, list: PreviewList<PreviewItem>): string {
  if (list.kind === 'failed') return `${title}: ${list.reason}`;
  const items = list.kind === 'listed' ? list.items : [];
  if (items.length === 0) return `${title}: none`;
  return `${title}: ${items.length} (${short(items.map(({ name }) => name).join(', '), 100)})${cutOff(list)}`;
}

function cutOff(list: PreviewList<PreviewItem>): string {
  if (list.kind !== 'listed' || !list.cut) return '';
  return list.cut === 'same-cursor' ? '; the server gave the same page again' : '; it has more than is read';
}

function hints({ hints: { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } }: PreviewTool): string {
  const words = [
    readOnlyHint ? 'read-only' : '',
    destructiveHint ? 'destructive' : '',
    idempotentHint ? 'repeatable' : '',
    openWorldHint ? 'open-world' : '',
  ];
  return words.filter(Boolean).join(', ');
}

function short(text: unknown, maxLength = descriptionLength): string {
  const flat = typeof text === 'string' ? text.replace(/\s+/g, ' ').trim() : '';
  return flat.length > maxLength ? `${flat.slice(0, maxLength - 1)}…` : flat;
}

function showDrift(output: CommandContext['output'], { drift }: ServerPreview, nowMs: number): void {
  if (!drift) return;
  const { added, removed, changed, sinceMs } = drift;
  output.line();
  output.line({ text: `Its tools are not what they were ${roughDuration(nowMs - sinceMs)} ago:`, style: 'yellow' });
  for (const { name, parts } of changed) output.line(`  ${name}: ${parts.join(', ')} changed`);
  for (const name of added) output.line(`  ${name}: new`);
  for (const name of removed) output.line(`  ${name}: gone`);
}

const styles: Record<FindingLevel, Style> = { suspicious: 'red', refused: 'yellow', degraded: 'dim' };
const headings: Record<FindingLevel, string> = {
  suspicious: 'Looks suspicious; these are hints, no proof, and a text without them can be harmful as well:',
  refused: 'Refused by some clients:',
  degraded: 'Cut short or of no effect:',
};

function showFindings(output: CommandContext['output'], taken: ServerPreview): void {
  const all = [...taken.findings.map((finding) => ({ name: 'server', finding })), ...itemFindings(taken)];
  for (const level of ['suspicious', 'refused', 'degraded'] as const) {
    const found = all.filter(({ finding }) => levelOf(finding) === level);
    if (found.length === 0) continue;
    output.line();
    output.line({ text: headings[level], style: styles[level] });
    for (const { name, finding } of found) {
      const label: Span = { text: name, style: 'bold' };
      output.line('  ', label, `: ${sentenceOf(finding)}`);
    }
  }
}

function itemFindings(taken: ServerPreview): { name: string; finding: Finding }[] {
  return listKinds.flatMap((kind) => {
    const list: PreviewList<PreviewItem> = taken[kind];
    if (list.kind !== 'listed') return [];
    return list.items.flatMap(({ name, findings }) => findings.map((finding) => ({ name, finding })));
  });
}

function sentenceOf(finding: Finding): string {
  return findingSentence(finding, (sentence, ...words) =>
    sentence.replace(/\{(\d)\}/g, (_, at: string) => words[Number(at)] ?? ''),
  );
}

type Told = Finding & { level: FindingLevel; sentence: string };

/** A program gets each finding with its level and its sentence. */
function withSentences(taken: ServerPreview): object {
  const told = (findings: Finding[]): Told[] =>
    findings.map((finding) => ({ ...finding, level: levelOf(finding), sentence: sentenceOf(finding) }));
  const list = <Item extends PreviewItem>(all: PreviewList<Item>): object =>
    all.kind === 'listed'
      ? { ...all, items: all.items.map((item) => ({ ...item, findings: told(item.findings) })) }
      : all;
  const lists = Object.fromEntries(listKinds.map((kind) => [kind, list<PreviewItem>(taken[kind])]));
  return { ...taken, ...lists, findings: told(taken.findings) };
}
