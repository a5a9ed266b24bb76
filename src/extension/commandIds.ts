// Every id that package.json and the code must agree on, typed once: commands, views, context keys, settings.

export const commandIds = {
  exposeServer: 'mcpTunnel.exposeServer',
  stopTunnel: 'mcpTunnel.stopTunnel',
  copyUrl: 'mcpTunnel.copyUrl',
  copyClientConfig: 'mcpTunnel.copyClientConfig',
  copyToken: 'mcpTunnel.copyToken',
  openInspector: 'mcpTunnel.openInspector',
  pairAgent: 'mcpTunnel.pairAgent',
  allowDestination: 'mcpTunnel.allowDestination',
  addServer: 'mcpTunnel.addServer',
  refreshServers: 'mcpTunnel.refreshServers',
  restartHelper: 'mcpTunnel.restartHelper',
  showLog: 'mcpTunnel.showLog',
} as const;

export type CommandId = (typeof commandIds)[keyof typeof commandIds];

export const viewIds = { servers: 'mcpTunnel.servers', tunnels: 'mcpTunnel.tunnels' } as const;

/** Type of the inspector's panel, by which VS Code brings it back after a reload. */
export const inspectorViewType = 'mcpTunnel.inspector';

export const contextKeys = {
  hasServers: 'mcpTunnel.hasServers',
  hasTunnels: 'mcpTunnel.hasTunnels',
  /** Kind of the helper's state. */
  helper: 'mcpTunnel.helper',
} as const;

export const settingIds = { section: 'mcpTunnel', grantExpiresHours: 'grant.expiresHours', edges: 'edges' } as const;
