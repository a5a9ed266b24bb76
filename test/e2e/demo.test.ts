// `mcp-tunnel demo` is the first thing a stranger runs: it must do all it says, and say so when it did not.
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

describe('demo', () => {
  it('shows the whole path and three refusals, and leaves nothing behind', async () => {
    const home = await temporaryFolder();
    const { code, stdout, stderr } = await runCommand(['demo', '--once'], { home, env: { TMPDIR: home } });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    for (const step of [
      /everything-[a-z0-9]{4}\.tunnel\.localhost:\d+\/mcp/,
      /→ demo-agent \S+ +initialize .* ok +\d+ ms/,
      /→ demo-agent \S+ +tools\/list .* ok/,
      /← demo-agent \S+ +notifications\/progress 1\/4/,
      /← demo-agent \S+ +notifications\/progress 4\/4/,
      /→ demo-agent \S+ +tools\/call trigger-long-running-operation .* ok/,
      /→ demo-agent \S+ +resources\/read demo:\/\/resource.* ok/,
      /→ demo-agent \S+ +prompts\/get simple-prompt .* ok/,
      /→ demo-agent \S+ +tools\/call get-env .* denied/,
      /denied 401/,
      /without a token → HTTP 401/,
      /not on the allowlist → exit code 3/,
    ]) {
      expect(stdout).toMatch(step);
    }
    expect(await readdir(home)).toEqual([]);
  });

  it('prints one JSON object a line with --json', async () => {
    const home = await temporaryFolder();
    const { code, lines } = await runCommand(['demo', '--once', '--json'], { home });
    expect(code).toBe(0);
    expect(lines[0]).toMatchObject({ event: 'ready' });
    expect(lines.filter((line) => line.event === 'step').length).toBeGreaterThanOrEqual(8);
    expect(lines.filter((line) => line.event === 'exchange').length).toBeGreaterThanOrEqual(8);
  });

  it('fails with the reason when a part of it cannot happen', async () => {
    const home = await temporaryFolder();
    const missing = `${tmpdir()}/there-is-no-such-folder-here`;
    const { code, stderr } = await runCommand(['demo', '--once'], { home, env: { TMPDIR: missing } });
    expect(code).not.toBe(0);
    expect(stderr).toContain(missing);
    expect(stderr).not.toMatch(/\n\s+at .*\.js/);
  });
});
