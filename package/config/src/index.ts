export { contextVariables, readContext, writeContext, type Context } from './context.ts';
export { formatDuration, parseDuration } from './duration.ts';
export { EnvironmentReader, type Environment, type ListenAddress } from './environment.ts';
export { parseFlags } from './flag.ts';
export { checkPrivateDirectory, ensurePrivateDirectory, readPrivateFile, writePrivateFile } from './file.ts';
export { homeOf, type Home } from './home.ts';
export { ignoredVariables, variables, type VariableName } from './variable.ts';
