import type { Completes } from '../command.ts'
import type { OptionShape, Shape } from './model.ts'

/** Works in bash 4 and later, without the package bash-completion. */
export function bashCompletion(shapes: readonly Shape[]): string {
  const paths = shapes.filter(({ path }) => path !== '').map(({ path }) => step(path))
  return `# Completion of flotilla for bash. For this shell: source <(flotilla completion bash)
_flotilla() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path='' word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path:$word" in
${paths.join('\n')}
    esac
  done
  case "$path" in
${shapes.map(branch).join('\n')}
  esac
}
complete -F _flotilla flotilla
complete -F _flotilla ./flotilla
`
}

/** `datasets:check` leads from the group to the command. */
function step(path: string): string {
  const space = path.lastIndexOf(' ')
  return `      '${path.slice(0, Math.max(space, 0))}:${path.slice(space + 1)}') path='${path}' ;;`
}

function branch({ path, words, options, argument }: Shape): string {
  const values = options.filter(({ takes }) => takes !== undefined).map(valueCase)
  const names = options.map(({ name }) => name).join(' ')
  const rest = [
    ...(words.length > 0 ? [offer(words.map(({ word }) => word))] : []),
    ...(argument === undefined ? [] : [offer(argument)]),
  ]
  const lines = [
    `    '${path}')`,
    ...(values.length > 0 ? ['      case "$prev" in', ...values, '      esac'] : []),
    ...(names === '' ? [] : [`      if [[ $cur == -* ]]; then ${offer(names.split(' '))}; return; fi`]),
    ...rest.map((line) => `      ${line}`),
    '      ;;',
  ]
  return lines.join('\n')
}

function valueCase({ name, short, takes }: OptionShape): string {
  const names = short === undefined ? name : `${name}|${short}`
  return `        ${names}) ${takes === 'anything' || takes === undefined ? '' : `${offer(takes)}; `}return ;;`
}

function offer(completes: Completes): string {
  if (completes === 'file') return `${add('-f')}; compopt -o filenames`
  if (completes === 'folder') return `${add('-d')}; compopt -o filenames`
  return add(`-W '${completes.join(' ')}'`)
}

/** To what is offered already: a command below, and a folder. */
function add(what: string): string {
  return `mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen ${what} -- "$cur")`
}
