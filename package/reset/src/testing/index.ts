export { answersOf, refusals, type Refusal } from './refusal.ts';
export { closedAddress, openListener, Scene } from './scene.ts';
export { runScript, takePicture, type RunScriptOptions, type ScriptRun } from './run.ts';
