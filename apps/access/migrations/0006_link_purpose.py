"""Links say what they are for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0005_storage_use"),
    ]

    operations = [
        migrations.AddField(
            model_name="signinlink",
            name="purpose",
            field=models.CharField(
                choices=[("sign_in", "Sign In"), ("password", "Password")], default="sign_in", max_length=8
            ),
        ),
    ]
