import type { Context } from './context.ts'

/** Draws a page over what is there, line by line, and clears what is left: nothing flickers. Text stands for no answer. */
export function drawPage<T extends object>(
  seen: T | string,
  print: (seen: T, context: Context) => void,
  context: Context,
): void {
  const { output, clock } = context
  let page = ''
  const memory = output.into((text) => (page += text))
  if (typeof seen === 'string') memory.print(memory.paint('red', seen))
  else print(seen, { ...context, output: memory })
  memory.print(memory.paint('dim', `\n${new Date(clock.nowMs()).toLocaleTimeString('en-GB')}  Ctrl-C ends`))
  output.out.write(`\u001b[H${page.replaceAll('\n', '\u001b[K\n')}\u001b[J`)
}
