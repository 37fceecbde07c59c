"""Rescind's sessions in Django and in Django REST framework.

Modules: for Django REST framework `authentication` (the class for `DEFAULT_AUTHENTICATION_CLASSES`), `permissions`, `schema` (for
drf-spectacular) and `users` (the Django user of a token). For the site's own sessions `sessions` (the middleware), `signals`
(sign-ins, sign-outs, passwords) with `methods`, `devices` with `held` (the device of a session), `refusals` (the answers when one
has ended) and `headless` (tokens for apps that allauth signs in). For both `settings` (`RESCIND = {…}`), `apps` and `checks`.
"""
