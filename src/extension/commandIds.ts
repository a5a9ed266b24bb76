// Every id that package.json and the code must agree on, typed once: commands, views, context keys, settings.

export const commandIds = {
  exposeServer: 'mcpTunnel.exposeServer',
  editStartCommand: 'mcpTunnel.editStartCommand',
  forgetInputs: 'mcpTunnel.forgetInputs',
  offerToChat: 'mcpTunnel.offerToChat',
  withdrawFromChat: 'mcpTunnel.withdrawFromChat',
  stopTunnel: 'mcpTunnel.stopTunnel',
  restartServer: 'mcpTunnel.restartServer',
  copyUrl: 'mcpTunnel.copyUrl',
  copyClientConfig: 'mcpTunnel.copyClientConfig',
  copyToken: 'mcpTunnel.copyToken',
  openInspector: 'mcpTunnel.openInspector',
  pairAgent: 'mcpTunnel.pairAgent',
  holdNextCall: 'mcpTunnel.holdNextCall',
  answerHeldCall: 'mcpTunnel.answerHeldCall',
  letIn: 'mcpTunnel.letIn',
  addAgent: 'mcpTunnel.addAgent',
  changeAccess: 'mcpTunnel.changeAccess',
  rotateToken: 'mcpTunnel.rotateToken',
  revokeAgent: 'mcpTunnel.revokeAgent',
  denyForAgent: 'mcpTunnel.denyForAgent',
  allowForAgent: 'mcpTunnel.allowForAgent',
  denyForAll: 'mcpTunnel.denyForAll',
  allowForAll: 'mcpTunnel.allowForAll',
  readOnlyOn: 'mcpTunnel.readOnlyOn',
  readOnlyOff: 'mcpTunnel.readOnlyOff',
  refreshTools: 'mcpTunnel.refreshTools',
  verifyAudit: 'mcpTunnel.verifyAudit',
  allowDestination: 'mcpTunnel.allowDestination',
  addServer: 'mcpTunnel.addServer',
  refreshServers: 'mcpTunnel.refreshServers',
  scanServers: 'mcpTunnel.scanServers',
  previewServer: 'mcpTunnel.previewServer',
  refreshPreview: 'mcpTunnel.refreshPreview',
  copyOfferedName: 'mcpTunnel.copyOfferedName',
  copyOfferedJson: 'mcpTunnel.copyOfferedJson',
  restartHelper: 'mcpTunnel.restartHelper',
  showLog: 'mcpTunnel.showLog',
} as const;

export type CommandId = (typeof commandIds)[keyof typeof commandIds];

export const viewIds = {
  servers: 'mcpTunnel.servers',
  tunnels: 'mcpTunnel.tunnels',
  agents: 'mcpTunnel.agents',
} as const;

/** Type of the inspector's panel, by which VS Code brings it back after a reload. */
export const inspectorViewType = 'mcpTunnel.inspector';

export const contextKeys = {
  hasServers: 'mcpTunnel.hasServers',
  hasTunnels: 'mcpTunnel.hasTunnels',
  /** Somebody holds a grant that works. */
  hasAgents: 'mcpTunnel.hasAgents',
  /** Kind of the helper's state. */
  helper: 'mcpTunnel.helper',
} as const;

export const settingIds = {
  section: 'mcpTunnel',
  grantExpiresHours: 'grant.expiresHours',
  edges: 'edges',
  serverWatch: 'server.watch',
  acmeDirectory: 'acme.directory',
  acmeAgreeToTerms: 'acme.agreeToTerms',
  acmeEmail: 'acme.email',
  acmeCaFile: 'acme.caFile',
} as const;
