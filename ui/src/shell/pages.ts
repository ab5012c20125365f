// The pages of the application. A page is one row here: its path, its name, its icon, the key that
// goes to it after `g`, and the module that draws it. All but the first page are loaded when
// first visited.

import type { ComponentType } from 'preact';
import { HostPage } from '../pages/host/HostPage';
import type { IconName } from './icons';

export interface Page {
  path: string;
  title: string;
  icon: IconName;
  key: string;
  /** What the palette also finds it by. */
  words: string;
  /** Controls of the shell that mean something on this page. */
  time: boolean;
  page: ComponentType | (() => Promise<{ default: ComponentType }>);
  lazy: boolean;
  /** Paths below the page's own that it draws as well. */
  also?: RegExp;
  /** Not in the bar at the top. */
  unlisted?: boolean;
  /** Type of the data source without which the page is not offered. */
  needs?: string;
  /** Pages of one group are one component: going from one to another keeps it. */
  group?: string;
  /** The page in the bar at the top that an unlisted one belongs to. */
  below?: string;
}

const explore = () => import('../pages/explore/ExplorePage');

export const PAGES: Page[] = [
  {
    path: '/',
    title: 'Host',
    icon: 'host',
    key: 'h',
    words: 'home cpu memory disk network processes load',
    time: true,
    page: HostPage,
    lazy: false,
  },
  {
    path: '/explore',
    title: 'Explore',
    icon: 'explore',
    key: 'e',
    words: 'query promql metrics graph table split',
    time: true,
    page: explore,
    lazy: true,
    group: 'explore',
  },
  {
    path: '/logs',
    title: 'Logs',
    icon: 'logs',
    key: 'l',
    words: 'loki logql lines tail search',
    time: true,
    page: explore,
    lazy: true,
    group: 'explore',
  },
  {
    path: '/traces',
    title: 'Traces',
    icon: 'traces',
    key: 't',
    words: 'tempo traceql spans waterfall',
    time: true,
    page: explore,
    lazy: true,
    group: 'explore',
    needs: 'tempo',
  },
  {
    path: '/services',
    title: 'Services',
    icon: 'service',
    key: 'v',
    words: 'service map graph operations red rate errors latency',
    time: true,
    page: () => import('../pages/services/ServicesPage'),
    lazy: true,
    also: /^\/service\//,
    needs: 'tempo',
  },
  {
    path: '/trace',
    title: 'Trace',
    icon: 'traces',
    key: '',
    words: '',
    time: false,
    page: () => import('../pages/traces/TracePage'),
    lazy: true,
    also: /^\/trace\//,
    unlisted: true,
    below: '/traces',
  },
  {
    path: '/dashboards',
    title: 'Dashboards',
    icon: 'dashboards',
    key: 'd',
    words: 'folders import new search starred playlists snapshots public shared',
    time: false,
    page: () => import('../dashboard/list/DashboardsPage'),
    lazy: true,
    also: /^\/dashboards\/f\/|^\/dashboard\/(import|shared)$|^\/playlists$/,
  },
  {
    path: '/d',
    title: 'Dashboard',
    icon: 'dashboards',
    key: '',
    words: '',
    time: true,
    page: () => import('../dashboard/view/DashboardPage'),
    lazy: true,
    also: /^\/d\/|^\/d-solo\/|^\/dashboard\/(new|snapshot\/)|^\/public-dashboards\//,
    unlisted: true,
    below: '/dashboards',
  },
  {
    path: '/alerts',
    title: 'Alerts',
    icon: 'alerts',
    key: 'a',
    words: 'rules firing pending recording alertmanager notifications',
    time: true,
    page: () => import('../pages/alerts/AlertsPage'),
    lazy: true,
  },
  {
    path: '/status',
    title: 'Status',
    icon: 'status',
    key: 's',
    words: 'doors ports targets ingest limits store build version send data',
    time: true,
    page: () => import('../pages/status/StatusPage'),
    lazy: true,
  },
  {
    path: '/inputs',
    title: 'Inputs',
    icon: 'download',
    key: 'i',
    words: 'graphite carbon statsd senders refused names rates lines',
    time: false,
    page: () => import('../pages/inputs/InputsPage'),
    lazy: true,
  },
];

export function pageFor(path: string): Page | undefined {
  return PAGES.find((p) => p.path === path || p.also?.test(path)) ?? (path === '/host' ? PAGES[0] : undefined);
}
