import * as fc from 'fast-check';
import { getNodeValue } from 'jsonc-parser';
import { describe, expect, it } from 'vitest';
import { TomlDocument } from '../../../src/discovery/tomlDocument.ts';

describe('TomlDocument', () => {
  it('is a tree in which a table stands where its header does', () => {
    const document = new TomlDocument(
      'x = 1\n\n[servers.a]\ncommand = "c"\nargs = ["1"]\n  ["servers"."b c"]\non = true\n',
    );
    expect(document.root && getNodeValue(document.root)).toEqual({
      x: 1,
      servers: { a: { command: 'c', args: ['1'] }, 'b c': { on: true } },
    });
    const servers = document.root?.children?.[1]?.children?.[1]?.children ?? [];
    expect(servers.map(({ offset }) => document.place(offset).line)).toEqual([3, 6]);
  });

  it('says where the text stops being TOML', () => {
    const [fault] = new TomlDocument('a = 1\nb = = 2\n').faults;
    expect(fault).toMatchObject({ line: 2 });
    expect(fault?.message).toMatch(/^this is not TOML: \S/);
    expect(fault?.message).not.toContain('\n');
  });

  it('refuses what is nested too deeply', () => {
    const { root, faults } = new TomlDocument(`a = ${'['.repeat(5_000)}${']'.repeat(5_000)}`);
    expect([root, faults.length]).toEqual([undefined, 1]);
  });

  it('keeps names that every object has', () => {
    const { root } = new TomlDocument('[__proto__]\na = 1\n[constructor]\nb = 2\n');
    expect(root?.children?.map((property) => property.children?.[0]?.value as string)).toEqual([
      '__proto__',
      'constructor',
    ]);
  });

  it('throws on no text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[\s[\]{}="'a.\-0-9TZ:#]*$/)), (text) => {
        for (const { line, column } of new TomlDocument(text).faults) expect(line >= 1 && column >= 1).toBe(true);
      }),
    );
  });
});
