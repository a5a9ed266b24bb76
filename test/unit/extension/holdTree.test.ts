import { expect, it } from 'vitest';
import { holdNodes, shortened } from '../../../src/extension/holdTree.ts';
import { tunnelTree } from '../../../src/extension/tunnelTree.ts';
import { english } from './english.ts';
import { heldCall, nowMs, tunnel } from './samples.ts';

it('has one row for each call of this tunnel that waits; a click answers it', () => {
  const held = [heldCall(), heldCall({ id: 'h2', tool: 'other', untilMs: nowMs - 1 }), heldCall({ tunnel: 't9' })];
  const rows = holdNodes(tunnel(), held, nowMs, english);
  expect(rows.map(({ label }) => label)).toEqual(['Claude waits for you: write_file', 'Claude waits for you: other']);
  expect(rows[0]).toMatchObject({
    description: expect.stringContaining('denied in') as string,
    tooltip: 'breakpoint\n{"path":"/a"}',
    context: 'tunnel.held',
    click: { kind: 'command', command: 'mcpTunnel.answerHeldCall' },
    subject: { kind: 'held', call: { id: 'h1' } },
  });
});

it('shows them first below the tunnel, with arguments of bounded length', () => {
  const long = heldCall({ arguments: 'x'.repeat(10_000) });
  const [node] = tunnelTree([tunnel()], new Map(), nowMs, english, () => false, [long]);
  expect(node?.children[0]?.context).toBe('tunnel.held');
  expect(node?.children[0]?.tooltip?.length).toBeLessThan(1_100);
  expect(shortened('abc', 2)).toBe('ab…');
});
