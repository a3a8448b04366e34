import type { Completes } from '../command.ts'
import type { OptionShape, Shape } from './model.ts'

/** `flotilla completion fish > ~/.config/fish/completions/flotilla.fish`, or `flotilla completion fish | source`. */
export function fishCompletion(shapes: readonly Shape[]): string {
  return `# Completion of flotilla for fish. For this shell: flotilla completion fish | source
function __flotilla_at
    set -l at ''
    set -l paths ${shapes.flatMap(({ path }) => (path === '' ? [] : [quote(path)])).join(' ')}
    for word in (commandline -opc)[2..-1]
        set -l next (string trim -- "$at $word")
        contains -- "$next" $paths; and set at $next
    end
    test "$at" = "$argv[1]"
end
complete -c flotilla -f
${shapes.flatMap(linesOf).join('\n')}
`
}

function linesOf({ path, words, options, argument }: Shape): string[] {
  const start = `complete -c flotilla -n ${quote(`__flotilla_at ${quote(path)}`)}`
  return [
    ...words.map(({ word, summary }) => `${start} -a ${word} -d ${quote(summary)}`),
    ...options.map((option) => `${start} ${optionForm(option)}`),
    ...(argument === undefined ? [] : [`${start} ${offer(argument)}`]),
  ]
}

function optionForm({ name, short, summary, takes }: OptionShape): string {
  const names = `-l ${name.slice(2)}${short === undefined ? '' : ` -s ${short.slice(1)}`} -d ${quote(summary)}`
  if (takes === undefined) return names
  return takes === 'anything' ? `${names} -x` : `${names} -r ${offer(takes)}`
}

function offer(completes: Completes): string {
  if (completes === 'file') return '-F'
  if (completes === 'folder') return "-x -a '(__fish_complete_directories)'"
  return `-x -a ${quote(completes.join(' '))}`
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`
}
