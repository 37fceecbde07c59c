"""Rescind's sessions in Django REST framework.

Modules: `authentication` (the class for `DEFAULT_AUTHENTICATION_CLASSES`), `permissions`, `schema` (for drf-spectacular), `users`
(the Django user of a token), `settings` (`RESCIND = {…}`), `apps` (checks the settings when Django starts).
"""
