// Variables by whose value a harmless looking command loads other code: a person who agrees to the command must see
// them. All other values stay hidden, since they may be secrets.

const prefixes = ['LD_', 'DYLD_', 'BASH_FUNC_'];
const names = new Set(
  [
    'PATH PATHEXT COMSPEC SHELL HOME USERPROFILE BASH_ENV ENV ZDOTDIR PROMPT_COMMAND GCONV_PATH OPENSSL_CONF',
    'NODE_OPTIONS NODE_PATH BUN_OPTIONS ELECTRON_RUN_AS_NODE',
    'NPM_CONFIG_REGISTRY NPM_CONFIG_USERCONFIG NPM_CONFIG_GLOBALCONFIG NPM_CONFIG_PREFIX NPM_CONFIG_CACHE',
    'NPM_CONFIG_SCRIPT_SHELL NPM_CONFIG_NODE_OPTIONS',
    'PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONBREAKPOINT PYTHONWARNINGS PYTHONINSPECT',
    'PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE',
    'UV_INDEX UV_INDEX_URL UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_CONFIG_FILE UV_PYTHON',
    'PERL5OPT PERL5LIB PERLLIB PERL5DB RUBYOPT RUBYLIB GEM_PATH GEM_HOME BUNDLE_GEMFILE',
    'JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS CLASSPATH',
    'DOTNET_STARTUP_HOOKS CORECLR_PROFILER_PATH LUA_INIT LUA_PATH LUA_CPATH PHPRC PHP_INI_SCAN_DIR',
    'GIT_SSH GIT_SSH_COMMAND GIT_EXEC_PATH GIT_ASKPASS',
  ].flatMap((line) => line.split(' ')),
);

/** Those of a server's definition that are set, in the order given; `undefined` without any. */
export function codeLoadingEnv(env: readonly [string, string | null][]): Record<string, string> | undefined {
  const loads = env.flatMap(([name, value]): [string, string][] =>
    value !== null && loadsCode(name) ? [[name, isIndex(name) ? withoutPassword(value) : value]] : [],
  );
  return loads.length > 0 ? Object.fromEntries(loads) : undefined;
}

/** In any spelling: Windows and npm do not tell them apart. */
function loadsCode(name: string): boolean {
  const upper = name.toUpperCase();
  return names.has(upper) || prefixes.some((prefix) => upper.startsWith(prefix));
}

function isIndex(name: string): boolean {
  return /INDEX|REGISTRY/i.test(name);
}

/** The index of a company may be a URL with a password; where it leads is still seen. */
function withoutPassword(value: string): string {
  return value.replace(/\/\/[^/@\s]*@/g, '//…@');
}
