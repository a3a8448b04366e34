import type { Completes } from '../command.ts'
import type { OptionShape, Shape } from './model.ts'

/** For zsh with compinit: `flotilla completion zsh > "${fpath[1]}/_flotilla"`, or sourced. */
export function zshCompletion(shapes: readonly Shape[]): string {
  const steps = shapes.filter(({ path }) => path !== '').map(({ path }) => step(path))
  return `#compdef flotilla
# Completion of flotilla for zsh. For this shell: source <(flotilla completion zsh)
_flotilla() {
  local at='' word prev="\${words[CURRENT-1]}"
  local -a offers
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at:$word" in
${steps.join('\n')}
    esac
  done
  case "$at" in
${shapes.map(branch).join('\n')}
  esac
}
if [[ "\${funcstack[1]}" == _flotilla ]]; then _flotilla "$@"; else compdef _flotilla flotilla ./flotilla; fi
`
}

function step(path: string): string {
  const space = path.lastIndexOf(' ')
  return `      '${path.slice(0, Math.max(space, 0))}:${path.slice(space + 1)}') at='${path}' ;;`
}

function branch({ path, words, options, argument }: Shape): string {
  const values = options.filter(({ takes }) => takes !== undefined).map(valueCase)
  const lines = [
    `    '${path}')`,
    ...(values.length > 0 ? ['      case "$prev" in', ...values, '      esac'] : []),
    ...(options.length === 0
      ? []
      : [
          `      if [[ $PREFIX == -* ]]; then ${describe(options.map(({ name, summary }) => [name, summary]))}; return; fi`,
        ]),
    ...(words.length === 0 ? [] : [`      ${describe(words.map(({ word, summary }) => [word, summary]))}`]),
    ...(argument === undefined ? [] : [`      ${offer(argument)}`]),
    '      ;;',
  ]
  return lines.join('\n')
}

function valueCase({ name, short, takes }: OptionShape): string {
  const names = short === undefined ? name : `${name}|${short}`
  return `        ${names}) ${takes === 'anything' || takes === undefined ? '' : `${offer(takes)}; `}return ;;`
}

function offer(completes: Completes): string {
  if (completes === 'file') return '_files'
  if (completes === 'folder') return '_files -/'
  return `compadd -- ${completes.join(' ')}`
}

function describe(rows: readonly (readonly [string, string])[]): string {
  const items = rows.map(([word, summary]) => quote(`${word}:${summary.replaceAll(':', '\\:')}`))
  return `offers=(${items.join(' ')}); _describe flotilla offers`
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
