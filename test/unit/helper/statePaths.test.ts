import { tmpdir, homedir } from 'node:os';
import { join } from 'node:path';
import envPaths from 'env-paths';
import { describe, expect, it } from 'vitest';
import { managedPolicyPath, maxSocketPathBytes, statePaths } from '../../../src/helper/statePaths.ts';

describe('statePaths', () => {
  it('names the folders that env-paths names on this system', () => {
    const usual = envPaths('mcp-tunnel', { suffix: '' });
    const { MCP_TUNNEL_HOME: _, ...env } = process.env;
    const paths = statePaths(env, process.platform, homedir());
    expect(paths.home).toBe(usual.data);
    expect(paths.userPolicy).toBe(join(usual.config, 'policy.json'));
  });

  it('knows the folders of the other systems', () => {
    const mac = statePaths({}, 'darwin', '/Users/ada');
    expect(mac.home).toBe('/Users/ada/Library/Application Support/mcp-tunnel');
    expect(mac.userPolicy).toBe('/Users/ada/Library/Preferences/mcp-tunnel/policy.json');
    const windows = statePaths({ LOCALAPPDATA: 'C:\\Users\\ada\\AppData\\Local' }, 'win32', 'C:\\Users\\ada');
    expect(windows.grants).toBe('C:\\Users\\ada\\AppData\\Local\\mcp-tunnel\\Data\\grants.json');
    expect(windows.userPolicy).toBe('C:\\Users\\ada\\AppData\\Roaming\\mcp-tunnel\\Config\\policy.json');
    expect(windows.workspacePolicy('D:\\w')).toBe('D:\\w\\.vscode\\mcp-tunnel.json');
  });

  it('moves everything but the managed policy with MCP_TUNNEL_HOME', () => {
    const paths = statePaths({ MCP_TUNNEL_HOME: '/tmp/t' }, 'linux', '/home/ada');
    for (const path of [paths.home, paths.userPolicy, paths.grants, paths.tunnels, paths.consents, paths.runFolder]) {
      expect(path.startsWith('/tmp/t')).toBe(true);
    }
    expect(paths.managedPolicy).toBe('/etc/mcp-tunnel/policy.json');
  });

  it('takes no managed policy from the environment, on any system', () => {
    const env = {
      ProgramData: 'D:\\evil',
      PROGRAMDATA: 'D:\\evil',
      ALLUSERSPROFILE: 'D:\\evil',
      MCP_TUNNEL_HOME: 'D:\\h',
    };
    expect(statePaths(env, 'win32', 'C:\\Users\\ada').managedPolicy).toBe('C:\\ProgramData\\mcp-tunnel\\policy.json');
    expect(managedPolicyPath('darwin')).toBe('/Library/Application Support/mcp-tunnel/policy.json');
  });

  it('refuses a relative MCP_TUNNEL_HOME and ignores a relative XDG folder', () => {
    expect(() => statePaths({ MCP_TUNNEL_HOME: 'here' }, 'linux', '/home/ada')).toThrow(/absolute/);
    expect(statePaths({ XDG_DATA_HOME: 'here' }, 'linux', '/home/ada').home).toBe('/home/ada/.local/share/mcp-tunnel');
  });

  it('keeps sockets in the state folder while their path is short enough', () => {
    const paths = statePaths({ MCP_TUNNEL_HOME: '/tmp/t' }, 'linux', '/home/ada');
    expect(paths.helperSocket('one').startsWith('/tmp/t/run/helper-')).toBe(true);
    expect(paths.edgeSocket('/srv/edge')).toBe('/srv/edge/edge-control.sock');
  });

  it('moves sockets of a deep state folder to a short folder of their own, one per state folder', () => {
    const deep = (name: string) => `/tmp/${'d'.repeat(120)}/${name}`;
    const paths = (name: string) => statePaths({ MCP_TUNNEL_HOME: deep(name) }, 'linux', '/home/ada');
    for (const path of [paths('a').helperSocket('one'), paths('a').edgeSocket(deep('edge'))]) {
      expect(path.startsWith(tmpdir())).toBe(true);
      expect(Buffer.byteLength(path)).toBeLessThanOrEqual(maxSocketPathBytes);
    }
    expect(paths('a').helperSocket('one')).not.toBe(paths('b').helperSocket('one'));
    expect(paths('a').helperSocket('one')).not.toBe(paths('a').helperSocket('two'));
  });

  it('stays inside the limit in the long temporary folder of macOS', () => {
    const temporary = '/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T';
    const home = `/Users/ada/${'d'.repeat(100)}`;
    const paths = statePaths({ MCP_TUNNEL_HOME: home }, 'darwin', '/Users/ada', { temporary });
    expect(Buffer.byteLength(paths.helperSocket('one'))).toBeLessThanOrEqual(maxSocketPathBytes);
  });

  it('names pipes on Windows, different for each state folder and helper', () => {
    const paths = (home: string) => statePaths({ MCP_TUNNEL_HOME: home }, 'win32', 'C:\\Users\\ada');
    expect(paths('C:\\a').helperSocket('one')).toMatch(/^\\\\\.\\pipe\\mcp-tunnel-[0-9a-f]{12}-helper-[0-9a-f]{12}$/);
    expect(paths('C:\\a').helperSocket('one')).not.toBe(paths('C:\\b').helperSocket('one'));
    expect(paths('C:\\a').edgeSocket('C:\\E')).toBe(paths('C:\\b').edgeSocket('c:\\e'));
  });
});
