// What the editor's own settings say of proxies, for the helper. A workspace has no say in it: it could send everything
// through a machine of its choice.
import { workspace } from 'vscode';
import type { EditorProxy } from '../protocol/control.ts';

export function editorProxy(): EditorProxy {
  const http = workspace.getConfiguration('http');
  const own = (name: string): unknown => http.inspect<unknown>(name)?.globalValue;
  const url = own('proxy');
  const exceptions = own('noProxy');
  return {
    ...(typeof url === 'string' && url.trim() !== '' ? { url } : {}),
    ...(Array.isArray(exceptions) && exceptions.length > 0
      ? { noProxy: exceptions.filter((entry): entry is string => typeof entry === 'string') }
      : {}),
    ...(own('proxySupport') === 'off' ? { isOff: true } : {}),
  };
}
