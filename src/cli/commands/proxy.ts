import { mkdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { isError } from '../../core/errors.ts'
import { writeAtomic } from '../../lib/atomic-file.ts'
import { command } from '../command.ts'
import { plural } from '../format.ts'
import { lookDeps, PROXY, proxyHere } from '../proxy.ts'

export const proxyRender = command({
  arguments: [],
  options: {
    to: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'write the files into this folder instead of printing them',
      completes: 'folder',
    },
    ...PROXY,
  },
  details: 'What the agent would write for the proxy now. Changes nothing that the proxy reads.',
  examples: ['flotilla proxy render --state /var/lib/flotilla-agent', 'flotilla proxy render --to /tmp/proxy'],
  async run({ options }, context) {
    const { output, cwd, signal } = context
    const here = await proxyHere(options, context)
    const { renderProxy } = await import('../../app/proxy-look.ts')
    const files = await renderProxy(here, lookDeps(context), { signal })
    if (options.json) output.json('proxy-render', { proxy: here.name, files: Object.fromEntries(files) })
    for (const [path, text] of options.json ? [] : files) {
      if (options.to === undefined) output.print(`# ${path}\n${text}`)
      else output.print(await writeBelow(resolve(cwd, options.to), path, here.settings.folder, text))
    }
    return 0
  },
})

/** Under the same name below `folder` as it has below the proxy's own. */
async function writeBelow(folder: string, path: string, own: string, text: string): Promise<string> {
  const relative = path.startsWith(`${own}/`) ? path.slice(own.length + 1) : basename(path)
  const file = join(folder, relative)
  await mkdir(dirname(file), { recursive: true })
  await writeAtomic(file, text)
  return file
}

export const proxyCheck = command({
  arguments: [],
  options: PROXY,
  details:
    'Lets the proxy’s own program judge what the agent would write, and asks each node once. Changes nothing. The exit code ' +
    'is 4 when the proxy refuses it, 3 when a node does not answer.',
  examples: ['flotilla proxy check'],
  async run({ options }, context) {
    const { output, signal } = context
    const here = await proxyHere(options, context)
    const { checkProxy } = await import('../../app/proxy-look.ts')
    const { table, down } = await checkProxy(here, lookDeps(context), { signal })
    const { kind } = here.settings
    const [nodes, items] = [table.backends.length, table.placement.size]
    if (options.json) output.json('proxy-check', { proxy: here.name, nodes, items, down })
    else {
      output.print(`${kind} takes it: ${plural(nodes, 'node')}, ${plural(items, 'item')} placed`)
      if (down.length > 0) output.print(`no answer from ${down.join(', ')}`)
    }
    return down.length > 0 ? 3 : 0
  },
})

export const proxyApply = command({
  arguments: [],
  options: PROXY,
  details: 'Does once what the agent beside the proxy does all the time, so only while that one does not run.',
  examples: ['flotilla proxy apply --state /var/lib/flotilla-agent'],
  async run({ options }, context) {
    const { output, signal } = context
    const here = await proxyHere(options, context)
    const { applyProxy } = await import('../../app/proxy-look.ts')
    try {
      const how = await applyProxy(here, lookDeps(context), { signal })
      if (options.json) output.json('proxy-apply', { proxy: here.name, how })
      else output.print(WORDS[how])
      return 0
    } catch (error) {
      if (isError(error, 'LOST_RACE')) output.note('the agent that runs keeps the proxy in step by itself')
      throw error
    }
  },
})

const WORDS = {
  unchanged: 'nothing to do: the proxy is in step',
  told: 'the proxy was told while it runs',
  reloaded: 'the proxy has read its configuration anew',
} as const
