// The commands: one row, one function. A row gets what the person clicked on (a tree's row), if anything;
// what it throws is shown with advice.
import { commands, type Disposable } from 'vscode';
import { addServer } from './addServer.ts';
import type { App } from './app.ts';
import { copyClientConfig, copyToken, copyUrl } from './clientConfig.ts';
import { forgetInputs } from './askInputs.ts';
import { offerToChat, withdrawFromChat } from './chatCommands.ts';
import { editStartCommand } from './editCommand.ts';
import { commandIds, type CommandId } from './commandIds.ts';
import { allowDestination } from './destinations.ts';
import { exposeServer } from './expose.ts';
import { changeAccess } from './changeAccess.ts';
import { addAgent, revokeAgent, rotateToken } from './grantCommands.ts';
import { answerHeldCall, holdNextCall } from './holdCommands.ts';
import { letIn } from './letIn.ts';
import { showFailure } from './notify.ts';
import { pairAgent } from './pairAgent.ts';
import { copyOfferedJson, copyOfferedName, previewServer, refreshPreview } from './previewCommands.ts';
import {
  allowForAgent,
  allowForAll,
  denyForAgent,
  denyForAll,
  readOnlyOff,
  readOnlyOn,
  refreshTools,
} from './ruleCommands.ts';
import { scanServers } from './scanServers.ts';
import { openInspector, restartServer, stopTunnel } from './tunnelCommands.ts';
import { verifyAudit } from './verifyAudit.ts';

export type Command = (app: App, target?: unknown) => Promise<void> | void;

const table: Record<CommandId, Command> = {
  [commandIds.exposeServer]: async (app, target) => void (await exposeServer(app, target)),
  [commandIds.editStartCommand]: editStartCommand,
  [commandIds.forgetInputs]: forgetInputs,
  [commandIds.offerToChat]: offerToChat,
  [commandIds.withdrawFromChat]: withdrawFromChat,
  [commandIds.stopTunnel]: stopTunnel,
  [commandIds.restartServer]: restartServer,
  [commandIds.copyUrl]: copyUrl,
  [commandIds.copyClientConfig]: copyClientConfig,
  [commandIds.copyToken]: copyToken,
  [commandIds.openInspector]: openInspector,
  [commandIds.pairAgent]: pairAgent,
  [commandIds.holdNextCall]: holdNextCall,
  [commandIds.answerHeldCall]: answerHeldCall,
  [commandIds.letIn]: letIn,
  [commandIds.addAgent]: addAgent,
  [commandIds.changeAccess]: changeAccess,
  [commandIds.rotateToken]: rotateToken,
  [commandIds.revokeAgent]: revokeAgent,
  [commandIds.denyForAgent]: denyForAgent,
  [commandIds.allowForAgent]: allowForAgent,
  [commandIds.denyForAll]: denyForAll,
  [commandIds.allowForAll]: allowForAll,
  [commandIds.readOnlyOn]: readOnlyOn,
  [commandIds.readOnlyOff]: readOnlyOff,
  [commandIds.refreshTools]: refreshTools,
  [commandIds.verifyAudit]: verifyAudit,
  [commandIds.allowDestination]: (app) => allowDestination(app),
  [commandIds.addServer]: addServer,
  [commandIds.refreshServers]: (app) => app.servers.refresh(),
  [commandIds.scanServers]: scanServers,
  [commandIds.previewServer]: previewServer,
  [commandIds.refreshPreview]: refreshPreview,
  [commandIds.copyOfferedName]: copyOfferedName,
  [commandIds.copyOfferedJson]: copyOfferedJson,
  [commandIds.restartHelper]: (app) => app.helper.restart(),
  [commandIds.showLog]: (app) => app.log.show(true),
};

export function registerCommands(app: App): Disposable[] {
  return Object.entries(table).map(([id, command]) =>
    commands.registerCommand(id, async (target?: unknown) => {
      try {
        await command(app, target);
      } catch (error) {
        showFailure(app, error);
      }
    }),
  );
}
