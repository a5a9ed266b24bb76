import { expect, it } from 'vitest';
import { serverEnvironment } from '../../../src/upstream/serverEnvironment.ts';

it('is the inherited one with the declared changes; null takes a variable away', () => {
  expect(
    serverEnvironment({ PATH: '/bin', A: '1', B: '2', C: undefined }, { A: 'x', B: null, D: '' }, 'linux'),
  ).toEqual({
    PATH: '/bin',
    A: 'x',
    D: '',
  });
});

it('has nothing of the host that started us, and none of our own secrets', () => {
  const inherited = {
    ELECTRON_RUN_AS_NODE: '1',
    NODE_OPTIONS: '--require /host.js',
    NODE_CHANNEL_FD: '3',
    MCP_TUNNEL_TOKEN: 'mcpt_secret',
    MCP_TUNNEL_HOME: '/home/x',
    HOME: '/home/x',
  };
  expect(serverEnvironment(inherited, {}, 'linux')).toEqual({ HOME: '/home/x' });
});

it('lets a definition set NODE_OPTIONS for its own server, but never ELECTRON_RUN_AS_NODE', () => {
  const declared = { NODE_OPTIONS: '--max-old-space-size=64', ELECTRON_RUN_AS_NODE: '1', Electron_Run_As_Node: '1' };
  expect(serverEnvironment({ NODE_OPTIONS: '--host' }, declared, 'linux')).toEqual({
    NODE_OPTIONS: '--max-old-space-size=64',
  });
});

it('takes names for the same on Windows whatever their case, and on no other system', () => {
  expect(serverEnvironment({ Path: 'C:\\a', Temp: 't' }, { PATH: 'C:\\b', TEMP: null }, 'win32')).toEqual({
    PATH: 'C:\\b',
  });
  expect(serverEnvironment({ Path: 'a' }, { PATH: 'b' }, 'linux')).toEqual({ Path: 'a', PATH: 'b' });
});
