"""Adds every user to Rescind, with the hash of the password. To run it again adds those who are new."""

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from rescind import Refused
from rescind.django.settings import rescind_settings


class Command(BaseCommand):
    help = __doc__

    def handle(self, **options):
        sessions, refused = rescind_settings().sessions, 0
        for user in get_user_model().objects.order_by("pk").iterator():
            password = user.password if user.has_usable_password() else None
            try:
                sessions.create_user(user.get_username(), str(user.pk), password)
            except Refused as error:
                refused += 1
                self.stderr.write(f"{user.pk} {user.get_username()}: {error}")
        if refused:
            raise CommandError(f"{refused} users were not added")
        self.stdout.write("every user is in Rescind")
