import { HOPS_HEADER } from '../../core/push/wire.ts'
import { literal, quoted } from '../../lib/nginx/quote.ts'
import type { FiledistNode } from './filedist.ts'
import { allowedMap, classMap } from './keys.ts'

const SIGNED = 'X-Amz-Signature|X-Amz-Algorithm|AWSAccessKeyId'
/** Of a name: no dots at its begin, no tilde, and no escape that stands for a dot, a slash, a tilde or a control character. */
const ESCAPE = '%(?!2[EeFf]|7[EeFf]|[01])[0-9A-Fa-f][0-9A-Fa-f]'
const SEGMENT = `(?:[^/.%~?]|${ESCAPE})(?:[^/%~?]|${ESCAPE})*`
const HOPS = `$http_${HOPS_HEADER.replaceAll('-', '_')}`

/** From what a request says, step by step, to `$flotilla_way`: who answers it; and `$flotilla_target`: what the file service is asked. */
export function maps(node: Pick<FiledistNode, 'keys' | 'open' | 'trees' | 'nginxSocket'>): string {
  const moved = node.trees.filter(({ name, prefix }) => prefix !== `/${name}/`)
  const targets = moved.map(
    ({ name, prefix }) =>
      `    ${quoted(`~^:${literal(prefix)}(?<flotilla_rest>.*)\\z`)} ${quoted(`/${name}/$flotilla_rest`)};\n`,
  )
  const places = moved.map(
    ({ name, prefix }) =>
      `    ${quoted(`~(?s)^${literal(prefix)}(?<flotilla_key>.*)\\z`)} ${quoted(`/${name}/$flotilla_key`)};\n`,
  )
  return String.raw`  # Not empty: signed, which is for the file service to verify.
  map "$http_authorization?$args" $flotilla_signed {
    default signed;
    "~*^(?:Bearer +[^ ?]+ *)?\?(?!(?:.*&)?(?:${SIGNED})=)" "";
  }
  map $http_authorization $flotilla_given {
    default $arg_apikey;
    "~*^Bearer +(?<flotilla_bearer>[^ ]+) *\z" $flotilla_bearer;
  }
  # What the file service calls it; nobody may have signed for another.
  map "$flotilla_signed:$request_uri" $flotilla_target {
    default $request_uri;
${targets.join('')}  }
  map $uri $flotilla_place {
    default $uri;
${places.join('')}  }
${indented(classMap(node, '$flotilla_given'))}
${indented(allowedMap(node, '$flotilla_place'))}
  # Not empty: for a file by its ETag, which nginx does not know.
  map $http_if_range $flotilla_by_etag {
    default "";
    "~[\"/]" by-etag;
  }
  # 1: a reading of which nginx knows all there is to know.
  map "$request_method$flotilla_signed$flotilla_by_etag$http_if_match$http_if_none_match$http_x_amz_checksum_mode$http_want_repr_digest${HOPS}" $flotilla_plain {
    default 0;
    "GET" 1;
    "HEAD" 1;
  }
  # 1: a name that is the same to nginx and the file service, and not hidden; no other parameters.
  map $request_uri $flotilla_path {
    default 0;
    "~^(?:/${SEGMENT})+(?:\?(?:apikey=[^&]*)?)?\z" 1;
  }
  # Not empty: the way of what nginx does not answer by itself. Small bodies come faster straight through.
  map "$request_method $flotilla_plain$flotilla_path$flotilla_allowed $content_length?$args" $flotilla_way {
    default asked;
    "~^(?:GET|HEAD) 111 " "";
    "~^(?:GET|HEAD) " asked;
    "~^POST [01]* \d*\?(?:.*&)?(?:uploads|uploadId|delete)(?:[&=]|\z)" written;
    "~^POST " refused;
${
  node.nginxSocket === undefined
    ? ''
    : String.raw`    "~^PUT [01]* [1-9]\d{5,}\?(?:(?:apikey|ack)=[^&]*(?:&|\z))*\z" received;
`
}    "~^(?:PUT|DELETE) " written;
  }`
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}
