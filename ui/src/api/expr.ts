// Building PromQL text safely: quoting, selectors, macros.

/** A PromQL string literal. */
export function quote(text: string): string {
  return (
    '"' +
    text.replace(/[\\"\n\r\t]/g, (c) =>
      c === '\n' ? '\\n' : c === '\r' ? '\\r' : c === '\t' ? '\\t' : `\\${c}`,
    ) +
    '"'
  );
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export type Matcher = [name: string, op: '=' | '!=' | '=~' | '!~', value: string];

export function matcher([name, op, value]: Matcher): string {
  return `${LABEL.test(name) ? name : quote(name)}${op}${quote(value)}`;
}

/** A selector; names outside the classic alphabet use the quoted UTF-8 form. */
export function selector(metric: string, matchers: Matcher[] = []): string {
  const parts = matchers.map(matcher);
  if (metric !== '' && !NAME.test(metric)) return `{${[quote(metric), ...parts].join(',')}}`;
  if (parts.length === 0) return metric === '' ? '{}' : metric;
  return `${metric}{${parts.join(',')}}`;
}

/** Escapes a text for use inside a regular expression matcher (RE2 syntax). */
export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}

export interface MacroValues {
  stepMs: number;
  rateMs: number;
  rangeMs: number;
}

function seconds(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** Fills in Grafana's interval macros, in both spellings ($__x and ${__x}). */
export function expandMacros(expr: string, v: MacroValues): string {
  return expr.replace(
    /\$(?:\{(__rate_interval|__interval_ms|__interval|__range_ms|__range_s|__range)\}|(__rate_interval|__interval_ms|__interval|__range_ms|__range_s|__range)\b)/g,
    (_, a: string | undefined, b: string | undefined) => {
      switch (a ?? b) {
        case '__rate_interval':
          return seconds(v.rateMs);
        case '__interval':
          return seconds(v.stepMs);
        case '__interval_ms':
          return String(v.stepMs);
        case '__range':
          return seconds(Math.max(1000, Math.round(v.rangeMs / 1000) * 1000));
        case '__range_s':
          return String(Math.round(v.rangeMs / 1000));
        default:
          return String(v.rangeMs);
      }
    },
  );
}

/** Fills `{{label}}` in a legend template; an empty template gives the series' own text. */
export function legendText(template: string | undefined, labels: Record<string, string>): string {
  if (!template) return seriesText(labels);
  return template.replace(/\{\{\s*([^}]+?)\s*\}\}/g, (_, name: string) => labels[name] ?? '');
}

/** A label set as Prometheus writes it: name{a="b"}. */
export function seriesText(labels: Record<string, string>): string {
  const { __name__: name = '', ...rest } = labels;
  const parts = Object.keys(rest)
    .sort()
    .map((k) => `${LABEL.test(k) ? k : quote(k)}=${quote(rest[k]!)}`);
  if (name !== '' && !NAME.test(name)) return `{${[quote(name), ...parts].join(', ')}}`;
  return parts.length === 0 && name !== '' ? name : `${name}{${parts.join(', ')}}`;
}

/** How to turn a metric into something worth drawing, from its type and name. */
export function suggestExpr(metric: string, type: string | undefined): string {
  const s = selector(metric);
  if (type === 'histogram' || metric.endsWith('_bucket')) {
    return type === 'histogram' && !metric.endsWith('_bucket')
      ? `histogram_quantile(0.95, sum(rate(${s}[$__rate_interval])))`
      : `histogram_quantile(0.95, sum by (le) (rate(${s}[$__rate_interval])))`;
  }
  if (type === 'counter' || /_(total|count|sum)$/.test(metric)) return `rate(${s}[$__rate_interval])`;
  return s;
}
